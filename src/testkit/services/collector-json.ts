/** Reads what the Collector's file exporter wrote, as an account of the data that owes nothing to this project's codecs. */
import { existsSync, readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { requestType } from '../otlp-root.ts';

type Json = Record<string, unknown>;

const TOP_KEYS: Record<Signal, string> = {
  traces: 'resourceSpans',
  logs: 'resourceLogs',
  metrics: 'resourceMetrics',
};
const HEX_FIELDS = /^(?:trace_id|span_id|parent_span_id)$/;

export interface WrittenRequest {
  signal: Signal;
  /** Export request in protobuf, encoded by protobufjs. */
  bytes: Uint8Array;
  /** `service.name` of the first resource, empty when it has none. */
  service: string;
}

/** Follows a file of one request a line while it is being written. */
export class CollectorFile {
  readonly #path: string;
  #readBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Complete lines that were not read before. */
  readNew(): WrittenRequest[] {
    if (!existsSync(this.#path)) return [];
    const unread = readFileSync(this.#path).subarray(this.#readBytes);
    const complete = unread.subarray(0, unread.lastIndexOf(0x0a) + 1);
    this.#readBytes += complete.byteLength;
    return complete
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const json = JSON.parse(line) as Json;
        const signal = SIGNALS.find((each) => TOP_KEYS[each] in json)!;
        return { signal, bytes: encodeOtlpJson(signal, json), service: serviceOf(signal, json) };
      });
  }
}

/** OTLP/JSON to protobuf by reflection over the official descriptors. @throws Error on keys that OTLP does not have. */
export function encodeOtlpJson(signal: Signal, json: Json): Uint8Array {
  const type = requestType(signal);
  return type.encode(type.fromObject(toMessage(type, json))).finish();
}

function serviceOf(signal: Signal, json: Json): string {
  const [first] = json[TOP_KEYS[signal]] as {
    resource?: { attributes?: { key: string; value: Json }[] };
  }[];
  const name = first?.resource?.attributes?.find(({ key }) => key === 'service.name');
  return (name?.value.stringValue as string | undefined) ?? '';
}

function toMessage(type: protobuf.Type, json: Json): Json {
  const message: Json = {};
  for (const [key, value] of Object.entries(json)) {
    const field = type.fieldsArray.find((each) => each.jsonName === key);
    if (field === undefined) throw new Error(`${type.fullName} has no "${key}"`);
    field.resolve();
    message[field.name] = Array.isArray(value)
      ? value.map((one) => toValue(field, one))
      : toValue(field, value);
  }
  return message;
}

function toValue(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) return toMessage(field.resolvedType, value as Json);
  if (field.type === 'bytes')
    return Buffer.from(value as string, HEX_FIELDS.test(field.name) ? 'hex' : 'base64');
  if (field.type === 'double') return Number(value);
  return value;
}
