/** Decoders by signal and name. */
import type { Signal } from '../component/signal.ts';
import { azureDecoder } from './azure-decode.ts';
import type { RecordDecoder } from './encoding.ts';
import { jaegerJsonDecoder, jaegerProtoDecoder } from './jaeger-decode.ts';
import { jsonDecoder, rawDecoder, textDecoder } from './logs-decode.ts';
import { zipkinJsonDecoder, zipkinProtoDecoder } from './zipkin-decode.ts';
import { zipkinThriftDecoder } from './zipkin-v1-decode.ts';

const DECODERS: readonly RecordDecoder[] = [
  jaegerProtoDecoder,
  jaegerJsonDecoder,
  zipkinProtoDecoder,
  zipkinJsonDecoder,
  zipkinThriftDecoder,
  rawDecoder,
  jsonDecoder,
  azureDecoder,
];

/** Names for one signal, in the order of the documentation; `text_<charset>` is not in it. */
export function decoderNames(signal: Signal): string[] {
  const names = DECODERS.filter((each) => each.signal === signal).map((each) => each.encoding);
  return signal === 'logs' ? [...names, 'text'] : names;
}

/** @returns undefined for a name that is no encoding of that signal, or a charset that is not known. */
export function findDecoder(signal: Signal, encoding: string): RecordDecoder | undefined {
  const found = DECODERS.find((each) => each.signal === signal && each.encoding === encoding);
  return found ?? (signal === 'logs' ? textDecoder(encoding) : undefined);
}
