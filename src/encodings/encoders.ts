/** Encoders by signal and name. */
import type { Signal } from '../component/signal.ts';
import type { RecordEncoder } from './encoding.ts';
import { jaegerJsonEncoder, jaegerProtoEncoder } from './jaeger-encode.ts';
import { bodyEncoder, rawEncoder, sumoEncoder } from './logs-encode.ts';
import { zipkinJsonEncoder, zipkinProtoEncoder } from './zipkin-encode.ts';

const ENCODERS: readonly RecordEncoder[] = [
  jaegerProtoEncoder,
  jaegerJsonEncoder,
  zipkinProtoEncoder,
  zipkinJsonEncoder,
  rawEncoder,
  bodyEncoder,
  sumoEncoder,
];

/** Names for one signal, in the order of the documentation. */
export function encoderNames(signal: Signal): string[] {
  return ENCODERS.filter((each) => each.signal === signal).map((each) => each.encoding);
}

/** @returns undefined for a name that is no encoding of that signal. */
export function findEncoder(signal: Signal, encoding: string): RecordEncoder | undefined {
  return ENCODERS.find((each) => each.signal === signal && each.encoding === encoding);
}
