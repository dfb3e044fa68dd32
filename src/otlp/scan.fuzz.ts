/**
 * Mutates encoded requests and holds the scan to its promises: typed errors only, bounded time, and whatever it
 * accepts is a message to an independent decoder too. Known difference: the scan lets invalid UTF-8 pass.
 */
import { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import { assert } from '../stdx/assert.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Prng } from '../stdx/prng.ts';
import { scanRequest } from './scan.ts';
import { countItems, sliceItems, withoutRejected } from './slice.ts';

/** One scan of a fuzzed input, which is at most some KiB, may take this long even on a loaded machine. */
const SCAN_MS_MAX = 1000;
const INPUT_BYTES_MAX = 65_536;

export interface ScanFuzzOptions {
  prng: Prng;
  clock: Clock;
  durationMs: number;
  /** Valid requests to start from. */
  corpus: readonly { signal: Signal; bytes: Uint8Array }[];
  /**
   * The independent decoder.
   * @returns number of items, or undefined when the only complaint is invalid UTF-8.
   * @throws when it cannot decode the bytes: the fuzz run fails then.
   */
  countDecoded(signal: Signal, bytes: Uint8Array): number | undefined;
}

export interface ScanFuzzResult {
  runs: number;
  accepted: number;
  malformed: number;
  limited: number;
}

const INTERESTING: readonly (readonly number[])[] = [
  [0x00],
  [0x7f],
  [0x80],
  [0xff],
  [0x80, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x0b],
  [0x0c],
  [0x0a, 0x00],
  [0x12, 0x00],
  [0x7b, 0x7c],
  [0xf8, 0x3f, 0x01],
];

/** Runs until the time is over. @throws Error with the input in hex when a promise is broken. */
export function fuzzScan(options: ScanFuzzOptions): ScanFuzzResult {
  const { prng, clock, corpus } = options;
  const result: ScanFuzzResult = { runs: 0, accepted: 0, malformed: 0, limited: 0 };
  const index = new RequestIndex();
  const endMs = clock.monotonicMs() + options.durationMs;
  while (clock.monotonicMs() < endMs) {
    const { signal, bytes } = corpus[prng.nextInt(corpus.length)]!;
    const input = mutate(bytes, corpus[prng.nextInt(corpus.length)]!.bytes, prng);
    try {
      runOne(options, signal, input, index, result);
    } catch (cause) {
      throw new Error(`${signal} ${toHex(input)}: ${String(cause)}`, { cause });
    }
    result.runs++;
  }
  return result;
}

function runOne(
  options: ScanFuzzOptions,
  signal: Signal,
  input: Uint8Array,
  index: RequestIndex,
  result: ScanFuzzResult,
): void {
  const beganMs = options.clock.monotonicMs();
  try {
    scanRequest(signal, input, 0, input.length, index);
  } catch (error) {
    assert(error instanceof PipelineError && error.permanent, `untyped error: ${String(error)}`);
    if (error.code === 'OTLP_LIMIT_EXCEEDED') result.limited++;
    else result.malformed++;
    assert(error.code === 'OTLP_MALFORMED' || error.code === 'OTLP_LIMIT_EXCEEDED', error.code);
    return;
  } finally {
    assert(options.clock.monotonicMs() - beganMs < SCAN_MS_MAX, 'scan took too long');
  }
  result.accepted++;
  const stored = index.needsRewrite ? withoutRejected(signal, input, 0, input.length, index) : input;
  const decoded = options.countDecoded(signal, stored);
  assert(decoded === undefined || decoded === index.acceptedCount, `decoder found ${decoded} items`);
  assert(countItems(signal, stored) === index.acceptedCount, 'count by lengths differs');
  const middle = index.acceptedCount >>> 1;
  const slice = sliceItems(signal, stored, middle, index.acceptedCount);
  assert(countItems(signal, slice) === index.acceptedCount - middle, 'slice holds other items');
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function mutate(bytes: Uint8Array, other: Uint8Array, prng: Prng): Uint8Array {
  let mutated = bytes;
  for (let step = prng.nextInt(4); step >= 0; step--) mutated = mutateOnce(mutated, other, prng);
  return mutated.subarray(0, INPUT_BYTES_MAX);
}

function mutateOnce(bytes: Uint8Array, other: Uint8Array, prng: Prng): Uint8Array {
  const at = prng.nextInt(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + prng.nextInt(16));
  const from = prng.nextInt(other.length + 1);
  const interesting = INTERESTING[prng.nextInt(INTERESTING.length)]!;
  // Half of the steps keep all lengths, so that many inputs get past the framing.
  switch (prng.nextInt(12)) {
    case 0:
    case 8:
    case 9:
      return splice(bytes, at, Math.min(at + 1, bytes.length), [prng.nextInt(256)]);
    case 1:
    case 10:
    case 11:
      return splice(bytes, at, Math.min(at + 1, bytes.length), [(bytes[at] ?? 0) ^ (1 << prng.nextInt(8))]);
    case 2:
      return splice(bytes, at, Math.min(at + interesting.length, bytes.length), interesting);
    case 3:
      return splice(bytes, at, at, interesting);
    case 4:
      return splice(bytes, at, to, []);
    case 5:
      return splice(bytes, at, at, bytes.subarray(at, to));
    case 6:
      return splice(bytes, at, to, other.subarray(from, from + prng.nextInt(64)));
    default:
      return bytes.subarray(0, at);
  }
}

function splice(bytes: Uint8Array, start: number, end: number, inserted: ArrayLike<number>): Uint8Array {
  const result = new Uint8Array(bytes.length - (end - start) + inserted.length);
  result.set(bytes.subarray(0, start));
  result.set(inserted, start);
  result.set(bytes.subarray(end), start + inserted.length);
  return result;
}
