/** What records hold: the requests of a group as they are, as JSON, or in the form of another system, cut to fit. */
import { PipelineError } from '../../component/errors.ts';
import type { Signal } from '../../component/signal.ts';
import type { EncodedRecord, RecordEncoder } from '../../encodings/encoding.ts';
import { countItems, sliceItems } from '../../otlp/slice.ts';
import { jsonBody } from '../helper/json-body.ts';

export interface RecordValue {
  /** Of the encoding; undefined where it has no opinion. */
  key: Uint8Array | undefined;
  slices: readonly Uint8Array[];
}

/**
 * Values of at most `bytesMax` that hold the requests, in their order.
 * @throws PipelineError EXPORT_REJECTED, permanent, when an item alone is larger.
 */
export type EncodeValues = (requests: readonly Uint8Array[], bytesMax: number) => Promise<RecordValue[]>;

export function valueEncoder(
  signal: Signal,
  encoding: string,
  encoder: RecordEncoder | undefined,
): EncodeValues {
  if (encoder !== undefined) {
    return async (requests, bytesMax) => {
      const records = await encodeFitting(signal, requests, bytesMax, async (part) => {
        const encoded: EncodedRecord[] = [];
        encoder.encode(part, encoded);
        return encoded;
      });
      return records.map(({ key, value }) => ({ key, slices: [value] }));
    };
  }
  if (encoding === 'otlp_json') {
    return async (requests, bytesMax) => {
      const records = await encodeFitting(signal, requests, bytesMax, async (part) => {
        const value = Buffer.concat(await jsonBody({ signal, slices: part }));
        return [{ key: undefined, value, itemCount: countAll(signal, part) }];
      });
      return records.map(({ key, value }) => ({ key, slices: [value] }));
    };
  }
  return async (requests, bytesMax) =>
    fitSlices(signal, requests, bytesMax).map((slices) => ({ key: undefined, slices }));
}

/** Lists of slices of at most `bytesMax` each; only a slice that is larger by itself is copied. */
export function fitSlices(signal: Signal, slices: readonly Uint8Array[], bytesMax: number): Uint8Array[][] {
  const lists: Uint8Array[][] = [];
  let open: Uint8Array[] = [];
  let openBytes = 0;
  const add = (slice: Uint8Array) => {
    if (openBytes + slice.length > bytesMax && open.length > 0) {
      lists.push(open);
      open = [];
      openBytes = 0;
    }
    open.push(slice);
    openBytes += slice.length;
  };
  for (const slice of slices) {
    if (slice.length <= bytesMax) add(slice);
    else for (const part of cutSlice(signal, slice, bytesMax)) add(part);
  }
  if (open.length > 0) lists.push(open);
  return lists;
}

/** Halves until every part fits; each cut walks the request once. */
function* cutSlice(signal: Signal, slice: Uint8Array, bytesMax: number): Generator<Uint8Array> {
  if (slice.length <= bytesMax) {
    yield slice;
    return;
  }
  const [first, second] = halvesOf(signal, [slice], bytesMax);
  yield* cutSlice(signal, first[0]!, bytesMax);
  yield* cutSlice(signal, second[0]!, bytesMax);
}

async function encodeFitting(
  signal: Signal,
  requests: readonly Uint8Array[],
  bytesMax: number,
  encode: (requests: readonly Uint8Array[]) => Promise<EncodedRecord[]>,
): Promise<EncodedRecord[]> {
  const records = await encode(requests);
  const tooLarge = records.find(({ value }) => value.length > bytesMax);
  if (tooLarge === undefined) return records;
  if (tooLarge.itemCount <= 1) throw itemTooLarge(bytesMax);
  const [first, second] = halvesOf(signal, requests, bytesMax);
  return [
    ...(await encodeFitting(signal, first, bytesMax, encode)),
    ...(await encodeFitting(signal, second, bytesMax, encode)),
  ];
}

type Halves = readonly [readonly Uint8Array[], readonly Uint8Array[]];

/** Between slices where there are several, otherwise between items. */
function halvesOf(signal: Signal, requests: readonly Uint8Array[], bytesMax: number): Halves {
  if (requests.length > 1) {
    const middle = requests.length >> 1;
    return [requests.slice(0, middle), requests.slice(middle)];
  }
  const [request] = requests as [Uint8Array];
  const count = countItems(signal, request);
  if (count <= 1) throw itemTooLarge(bytesMax);
  const middle = count >> 1;
  return [[sliceItems(signal, request, 0, middle)], [sliceItems(signal, request, middle, count)]];
}

function countAll(signal: Signal, requests: readonly Uint8Array[]): number {
  return requests.reduce((sum, request) => sum + countItems(signal, request), 0);
}

function itemTooLarge(bytesMax: number): PipelineError {
  return new PipelineError(
    'EXPORT_REJECTED',
    `an item alone does not fit into a record of ${bytesMax} bytes`,
    {
      permanent: true,
    },
  );
}
