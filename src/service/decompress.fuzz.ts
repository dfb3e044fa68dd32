/**
 * Fuzz target of the decoders behind Content-Encoding and grpc-encoding: mutated and cut bodies, hostile headers.
 * Promises: only typed, permanent errors; never more output than the limit; bounded time.
 */
import { PipelineError } from '../component/errors.ts';
import { Prng } from '../stdx/prng.ts';
import { decompress } from './decompress.ts';

/** Bodies by index of the compression: gzip 1, deflate 2, zstd 3. */
export type FuzzSeeds = readonly (readonly [compression: number, body: Uint8Array])[];

export interface DecompressFuzzResult {
  runs: number;
  accepted: number;
  refusals: Map<string, number>;
  /** Processor time of the body that took the most: what else the machine does is no fault of it. */
  slowestMs: number;
}

const OUTPUT_BYTES_MAX = 1 << 20;

function mutate(body: Uint8Array, prng: Prng): Uint8Array {
  const length = prng.nextInt(4) === 0 ? prng.nextInt(body.length + 1) : body.length;
  const mutated = Uint8Array.from(body.subarray(0, length));
  for (let i = prng.nextInt(6); i > 0 && length > 0; i--) {
    // Headers decide about windows and sizes: half of the mutations go there.
    const at = prng.nextInt(2) === 0 ? prng.nextInt(Math.min(18, length)) : prng.nextInt(length);
    mutated[at] = prng.nextInt(256);
  }
  return mutated;
}

/** @throws Error naming the seed and run whose promise was broken. */
export function fuzzDecompress(seeds: FuzzSeeds, seed: number, untilMs: () => boolean): DecompressFuzzResult {
  const prng = new Prng(seed);
  const result: DecompressFuzzResult = { runs: 0, accepted: 0, refusals: new Map(), slowestMs: 0 };
  while (untilMs()) {
    const [compression, body] = seeds[prng.nextInt(seeds.length)]!;
    const input = mutate(body, prng);
    const startedUsage = process.cpuUsage();
    try {
      const output = decompress(compression, input, OUTPUT_BYTES_MAX);
      if (output.byteLength > OUTPUT_BYTES_MAX) throw new Error('more output than the limit');
      result.accepted += 1;
    } catch (error) {
      if (!(error instanceof PipelineError) || !error.permanent) {
        throw new Error(`seed ${seed}, run ${result.runs}, compression ${compression}`, { cause: error });
      }
      result.refusals.set(error.code, (result.refusals.get(error.code) ?? 0) + 1);
    }
    result.runs += 1;
    const { user, system } = process.cpuUsage(startedUsage);
    result.slowestMs = Math.max(result.slowestMs, (user + system) / 1000);
  }
  return result;
}
