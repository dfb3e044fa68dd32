/**
 * What records of other systems look like on the wire: the contract between the codecs of this folder and the
 * components that read or write such records (Kafka topics, S3 objects, the receivers of Jaeger and Zipkin).
 *
 * In:  one record (a Kafka value, the body of a request) -> the bytes of an Export<Signal>ServiceRequest.
 *      `findDecoder(signal, encoding)` in decoders.ts; undefined for a name that is none of these:
 *
 *      | traces                                  | one record holds                                            |
 *      | --------------------------------------- | ----------------------------------------------------------- |
 *      | `jaeger_proto`, `jaeger_json`           | one jaeger.api_v2.Span with its Process                     |
 *      | `zipkin_proto`, `zipkin_json`           | a list of Zipkin v2 spans                                   |
 *      | `zipkin_thrift`, `zipkin_v1_json`       | a list of Zipkin v1 spans (the second is no name in YAML)   |
 *
 *      | logs                                    | one record is                                               |
 *      | --------------------------------------- | ----------------------------------------------------------- |
 *      | `raw`                                   | the body of one log record, bytes                           |
 *      | `text`, `text_<charset>`                | the same as a string (UTF-8 without a charset)              |
 *      | `json`                                  | a JSON object: the body, a map                              |
 *      | `azure_resource_logs`                   | `{"records": [...]}` of Azure's diagnostic logs             |
 *
 * Out: the requests of one batch -> records, which the caller owns. `findEncoder(signal, encoding)` in encoders.ts:
 *
 *      | encoding                                | records                                                     |
 *      | --------------------------------------- | ----------------------------------------------------------- |
 *      | `jaeger_proto`, `jaeger_json` (traces)  | one a span, its key the trace id in hexadecimal digits      |
 *      | `zipkin_proto`, `zipkin_json` (traces)  | one for the batch: the list of spans, no key                |
 *      | `raw` (logs)                            | one a log record: its body                                  |
 *      | `body` (logs)                           | one for the batch: a line a log record                      |
 *      | `sumo_ic` (logs)                        | one for the batch: a JSON object a line                     |
 *
 * `otlp_proto` and `otlp_json` are the engine's own forms: requests and records are the same bytes, or their JSON
 * (otlp/json-to-proto.ts, otlp/proto-to-json.ts), so they are not here.
 *
 * Meaning follows the Collector 0.158 (pkg/translator/jaeger and zipkin, kafkareceiver, kafkaexporter, awss3exporter)
 * with the feature gates that it has on by default, and is compared with it item by item in
 * src/testkit/e2e/encodings-*.services.test.ts. Where the Collector loses data, this folder does not; each such place
 * says so in its comment.
 */
import type { Signal } from '../component/signal.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';

/** Stateless but for scratch memory: one instance may be shared by everything on a thread. */
export interface RecordDecoder {
  readonly signal: Signal;
  /** As in the configuration. */
  readonly encoding: string;
  /**
   * Appends to `out` the request that the record holds; nothing when it holds no item. What several records append
   * back to back is one request again.
   *
   * @param record borrowed for the call; never written to.
   * @param out keeps what stood in it; an error leaves it as it was.
   * @param nowUnixMs wall clock: encodings without a time of their own take it as the time of observation.
   * @throws PipelineError ENCODING_FAILED, permanent, whose message begins with the name of the encoding.
   */
  decode(record: Uint8Array, out: WireWriter, nowUnixMs: number): void;
}

/** What the other side gets as one unit. Both arrays are private memory of the caller. */
export interface EncodedRecord {
  /** What keeps records together in partitions; undefined where the encoding has no opinion. */
  key: Uint8Array | undefined;
  value: Uint8Array;
  /** Spans or log records in the value. */
  itemCount: number;
}

export interface RecordEncoder {
  readonly signal: Signal;
  readonly encoding: string;
  /**
   * Appends the records of a batch in the order of its items.
   *
   * @param requests encoded Export<Signal>ServiceRequest messages that passed a scan; borrowed for the call.
   * @returns items that are in no record because the encoding has no form for them (`raw`: log records without a body).
   * @throws PipelineError ENCODING_FAILED, permanent: an item has a value that the encoding cannot say. `records` is
   * as it was. Parts of the batch may fare better.
   */
  encode(requests: readonly Uint8Array[], records: EncodedRecord[]): number;
}
