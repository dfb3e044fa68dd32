/** From the requests of a batch to the bytes of an object, piece by piece. */
import type { Signal } from '../../component/signal.ts';
import { findEncoder } from '../../encodings/encoders.ts';
import type { EncodedRecord } from '../../encodings/encoding.ts';
import { jsonPieces } from '../helper/json-body.ts';
import type { Marshaler } from './config.ts';
import { POINT_KINDS } from './parquet-columns.ts';

/**
 * @param slices requests, each valid alone; may be read late and once. Borrowed while the pieces are read.
 * @param onRefused is told of slices that cannot be said, which are left out then.
 * @returns pieces that may be the slices themselves.
 * @throws PipelineError OTLP_MALFORMED or ENCODING_FAILED, permanent, from the iterator; not with `onRefused`.
 */
export type Marshal = (slices: Iterable<Uint8Array>, onRefused?: OnRefused) => AsyncIterable<Uint8Array>;
export type OnRefused = (slice: Uint8Array, error: unknown) => void;

/** What follows the last dot of keys, before compression. */
export const EXTENSIONS: Readonly<Record<Marshaler, string>> = {
  otlp_json: 'json',
  otlp_proto: 'binpb',
  sumo_ic: 'json',
  body: 'txt',
  parquet: 'parquet',
};

/** One of the objects that a batch becomes. */
export interface ObjectKind {
  /** Part of the key behind the signal; empty when there is one object only. */
  name: string;
  /** No pieces at all: the batch has nothing of this kind, and there is no object. */
  marshal: Marshal;
}

/** Of a marshaler that can say items of this signal. */
export async function createObjectKinds(
  marshaler: Marshaler,
  signal: Signal,
): Promise<readonly ObjectKind[]> {
  if (marshaler !== 'parquet') return [{ name: '', marshal: createMarshal(marshaler, signal) }];
  const { createParquetMarshal } = await import('./parquet-file.ts');
  if (signal !== 'metrics') return [{ name: '', marshal: await createParquetMarshal(signal) }];
  return Promise.all(POINT_KINDS.map(async (name) => ({ name, marshal: await createParquetMarshal(name) })));
}

function createMarshal(marshaler: Exclude<Marshaler, 'parquet'>, signal: Signal): Marshal {
  if (marshaler === 'otlp_proto') return asTheyAre;
  if (marshaler === 'otlp_json') return (slices, onRefused) => jsonPieces(signal, slices, onRefused);
  const encoder = findEncoder(signal, marshaler)!;
  return async function* (slices, onRefused) {
    for (const slice of slices) {
      const records: EncodedRecord[] = [];
      try {
        encoder.encode([slice], records);
      } catch (error) {
        if (onRefused === undefined) throw error;
        onRefused(slice, error);
      }
      for (const { value } of records) yield value;
    }
  };
}

async function* asTheyAre(slices: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* slices;
}
