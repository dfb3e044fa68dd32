/** Reads the parts of a Jaeger span in protobuf: times, tags, references. Lists are remembered as ranges, not decoded. */
import { ANY_BOOL, ANY_BYTES, ANY_DOUBLE, ANY_INT, ANY_STRING } from '../otlp/any-value-view.ts';
import { WireReader } from '../otlp/wire-reader.ts';
import { encodingFailed } from './guard.ts';
import * as fields from './jaeger-fields.ts';
import type { TagTable } from './tag-table.ts';
import { NANOS_PER_SECOND, TimeWords } from './time-words.ts';

/** What a time in nanoseconds since the epoch can say, in seconds: 64 bits. */
const SECONDS_MAX = 18_446_744_072;
const ID_BYTES = 8;
const TRACE_ID_BYTES = 16;

/** Start and end of each element, one behind the other. */
export type Ranges = number[];

/** The fields of one span, as ranges in its bytes. Reused from record to record. */
export class JaegerSpanReader {
  bytes: Uint8Array = new Uint8Array(0);
  readonly traceId = new Uint8Array(TRACE_ID_BYTES);
  readonly spanId = new Uint8Array(ID_BYTES);
  nameStart = 0;
  nameEnd = 0;
  flags = 0;
  /** Nanoseconds since the epoch; 0 when absent. */
  readonly startTime = new TimeWords();
  readonly endTime = new TimeWords();
  readonly references: Ranges = [];
  readonly tags: Ranges = [];
  readonly logs: Ranges = [];
  /** Several parts of one Process are one Process. */
  readonly processes: Ranges = [];
  readonly #reader = new WireReader(new Uint8Array(0));
  readonly #duration = new TimeWords();

  /** @throws PipelineError OTLP_MALFORMED or ENCODING_FAILED. */
  read(bytes: Uint8Array): void {
    this.#reset(bytes);
    const reader = this.#reader;
    while (reader.pos < reader.end) {
      const tag = reader.readTag();
      if (tag === fields.TAG_JAEGER_TRACE_ID) readId(reader, this.traceId, ID_BYTES);
      else if (tag === fields.TAG_JAEGER_SPAN_ID) readId(reader, this.spanId, ID_BYTES);
      else if (tag === fields.TAG_JAEGER_FLAGS) this.flags = reader.readVarint32();
      else if (tag === fields.TAG_JAEGER_OPERATION_NAME) {
        const sizeBytes = reader.readLength();
        this.nameStart = reader.pos;
        this.nameEnd = reader.pos + sizeBytes;
        reader.pos = this.nameEnd;
      } else if (tag === fields.TAG_JAEGER_START_TIME) readTime(reader, this.startTime, 'start time');
      else if (tag === fields.TAG_JAEGER_DURATION) readTime(reader, this.#duration, 'duration');
      else if (tag === fields.TAG_JAEGER_REFERENCES) pushRange(reader, this.references);
      else if (tag === fields.TAG_JAEGER_TAGS) pushRange(reader, this.tags);
      else if (tag === fields.TAG_JAEGER_LOGS) pushRange(reader, this.logs);
      else if (tag === fields.TAG_JAEGER_PROCESS) pushRange(reader, this.processes);
      else reader.skip(tag);
    }
    this.endTime.set(this.startTime.lo, this.startTime.hi);
    this.endTime.add(this.#duration.lo, this.#duration.hi);
  }

  #reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.#reader.reset(bytes, 0, bytes.length);
    this.traceId.fill(0);
    this.spanId.fill(0);
    this.nameStart = 0;
    this.nameEnd = 0;
    this.flags = 0;
    this.startTime.set(0, 0);
    this.#duration.set(0, 0);
    this.references.length = 0;
    this.tags.length = 0;
    this.logs.length = 0;
    this.processes.length = 0;
  }
}

/** Reads one reference; ids are copied into the arrays given. @returns its type. */
export function readReference(
  bytes: Uint8Array,
  start: number,
  end: number,
  traceId: Uint8Array,
  spanId: Uint8Array,
): number {
  traceId.fill(0);
  spanId.fill(0);
  let type = fields.JAEGER_CHILD_OF;
  const reader = new WireReader(bytes, start, end);
  while (reader.pos < end) {
    const tag = reader.readTag();
    if (tag === fields.TAG_JAEGER_REF_TRACE_ID) readId(reader, traceId, ID_BYTES);
    else if (tag === fields.TAG_JAEGER_REF_SPAN_ID) readId(reader, spanId, ID_BYTES);
    else if (tag === fields.TAG_JAEGER_REF_TYPE) type = reader.readInt32();
    else reader.skip(tag);
  }
  return type;
}

/** Reads one log: its time, and the ranges of its fields. */
export function readLog(bytes: Uint8Array, start: number, end: number, time: TimeWords, tags: Ranges): void {
  time.set(0, 0);
  tags.length = 0;
  const reader = new WireReader(bytes, start, end);
  while (reader.pos < end) {
    const tag = reader.readTag();
    if (tag === fields.TAG_JAEGER_LOG_TIMESTAMP) readTime(reader, time, 'time of a log');
    else if (tag === fields.TAG_JAEGER_LOG_FIELDS) pushRange(reader, tags);
    else reader.skip(tag);
  }
}

/** Reads one part of a process. @returns the text of its service name, as [start, end), or undefined. */
export function readProcess(
  bytes: Uint8Array,
  start: number,
  end: number,
  tags: Ranges,
): readonly [number, number] | undefined {
  let service: readonly [number, number] | undefined;
  const reader = new WireReader(bytes, start, end);
  while (reader.pos < end) {
    const tag = reader.readTag();
    if (tag === fields.TAG_JAEGER_PROCESS_SERVICE_NAME) {
      const sizeBytes = reader.readLength();
      service = [reader.pos, reader.pos + sizeBytes];
      reader.pos += sizeBytes;
    } else if (tag === fields.TAG_JAEGER_PROCESS_TAGS) pushRange(reader, tags);
    else reader.skip(tag);
  }
  return service;
}

/** One tag as it stands; the kinds of values that are not its own are passed over. */
export class JaegerTagReader {
  keyStart = 0;
  keyEnd = 0;
  type = 0;
  readonly #starts = [0, 0];
  readonly #ends = [0, 0];
  readonly #los = [0, 0, 0];
  readonly #his = [0, 0, 0];
  readonly #reader = new WireReader(new Uint8Array(0));

  read(bytes: Uint8Array, start: number, end: number): void {
    this.keyStart = 0;
    this.keyEnd = 0;
    this.type = fields.JAEGER_STRING;
    this.#starts.fill(0);
    this.#ends.fill(0);
    this.#los.fill(0);
    this.#his.fill(0);
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    while (reader.pos < end) this.#readField(reader, reader.readTag());
  }

  /** The string value as [start, end), whatever the type says. */
  get stringStart(): number {
    return this.#starts[0]!;
  }

  get stringEnd(): number {
    return this.#ends[0]!;
  }

  /** Puts the value into a slot of a table over the same bytes. */
  store(table: TagTable, slot: number): void {
    const kind = KINDS[this.type];
    if (kind === undefined) {
      table.setText(slot, `<Unknown Jaeger TagType "${this.type}">`);
      return;
    }
    table.kinds[slot] = kind;
    const range = kind === ANY_BYTES ? 1 : 0;
    table.starts[slot] = this.#starts[range]!;
    table.ends[slot] = this.#ends[range]!;
    const word = kind === ANY_BOOL ? 0 : kind === ANY_INT ? 1 : 2;
    table.los[slot] = this.#los[word]!;
    table.his[slot] = this.#his[word]!;
  }

  #readField(reader: WireReader, tag: number): void {
    if (tag === fields.TAG_JAEGER_KEY) {
      const sizeBytes = reader.readLength();
      this.keyStart = reader.pos;
      this.keyEnd = reader.pos + sizeBytes;
      reader.pos = this.keyEnd;
    } else if (tag === fields.TAG_JAEGER_V_TYPE) this.type = reader.readInt32();
    else if (tag === fields.TAG_JAEGER_V_STR) this.#range(reader, 0);
    else if (tag === fields.TAG_JAEGER_V_BINARY) this.#range(reader, 1);
    else if (tag === fields.TAG_JAEGER_V_BOOL) this.#los[0] = reader.readBool() ? 1 : 0;
    else if (tag === fields.TAG_JAEGER_V_INT64) {
      reader.readVarint64();
      this.#words(reader, 1);
    } else if (tag === fields.TAG_JAEGER_V_FLOAT64) {
      reader.readFixed64();
      this.#words(reader, 2);
    } else reader.skip(tag);
  }

  #range(reader: WireReader, range: number): void {
    const sizeBytes = reader.readLength();
    this.#starts[range] = reader.pos;
    reader.pos += sizeBytes;
    this.#ends[range] = reader.pos;
  }

  #words(reader: WireReader, word: number): void {
    this.#los[word] = reader.lo;
    this.#his[word] = reader.hi;
  }
}

const KINDS: Readonly<Record<number, number>> = {
  [fields.JAEGER_STRING]: ANY_STRING,
  [fields.JAEGER_BOOL]: ANY_BOOL,
  [fields.JAEGER_INT64]: ANY_INT,
  [fields.JAEGER_FLOAT64]: ANY_DOUBLE,
  [fields.JAEGER_BINARY]: ANY_BYTES,
};

function pushRange(reader: WireReader, ranges: Ranges): void {
  const sizeBytes = reader.readLength();
  ranges.push(reader.pos, reader.pos + sizeBytes);
  reader.pos += sizeBytes;
}

/** An id as long as the array, or the low 8 bytes of a longer one. */
function readId(reader: WireReader, id: Uint8Array, shortBytes: number): void {
  const source = reader.readBytes();
  if (source.length !== id.length && source.length !== shortBytes) {
    throw encodingFailed(`an id of ${source.length} bytes at byte ${reader.pos - source.length}`);
  }
  id.fill(0);
  id.set(source, id.length - source.length);
}

/** A Timestamp or a Duration as nanoseconds; negative ones in two's complement. */
function readTime(reader: WireReader, time: TimeWords, what: string): void {
  const sizeBytes = reader.readLength();
  const outerEnd = reader.end;
  reader.end = reader.pos + sizeBytes;
  const words = new TimeWords();
  let nanos = 0;
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag === fields.TAG_TIME_SECONDS) {
      reader.readVarint64();
      words.set(reader.lo, reader.hi);
    } else if (tag === fields.TAG_TIME_NANOS) nanos = reader.readInt32();
    else reader.skip(tag);
  }
  reader.end = outerEnd;
  const seconds = words.signedNumber;
  if (Math.abs(seconds) >= SECONDS_MAX || Math.abs(nanos) >= NANOS_PER_SECOND) {
    throw encodingFailed(`a ${what} that nanoseconds cannot say at byte ${reader.pos - sizeBytes}`);
  }
  setNanos(time, seconds, nanos);
}

/** `seconds * 10^9 + nanos` in two's complement. */
export function setNanos(time: TimeWords, seconds: number, nanos: number): void {
  time.setProduct(Math.abs(seconds), NANOS_PER_SECOND, 0);
  if (seconds < 0) time.negate();
  time.add(nanos | 0, nanos < 0 ? -1 : 0);
}
