import { number, string } from '../../../config/field-kinds.ts';
import { defineShape } from '../../../config/schema.ts';
import { type Policy, type TraceFacts, type Vote, voteOf } from './policy.ts';
import type { PolicyType } from './policy-type.ts';

export interface ProbabilisticBlock {
  samplingPercentage: number;
  hashSalt: string;
}

const DEFAULT_SALT = 'default-hash-seed';

export const probabilisticPolicy: PolicyType<'probabilistic', ProbabilisticBlock> = {
  type: 'probabilistic',
  doc: 'A percentage of the traces, chosen by a hash of the trace id.',
  isNestable: true,
  block: defineShape<ProbabilisticBlock>({
    samplingPercentage: number('sampling_percentage', {
      default: 0,
      min: 0,
      doc: 'How many of a hundred traces; 100 and more: all.',
    }),
    hashSalt: string('hash_salt', {
      default: DEFAULT_SALT,
      doc: 'Another salt chooses other traces: give every tier of samplers its own.',
    }),
  }),
  needsWholeTrace: () => false,
  compile: (block) => new ProbabilisticPolicy(block),
};

class ProbabilisticPolicy implements Policy {
  /** State of the hash behind the salt. */
  readonly #saltHigh: number;
  readonly #saltLow: number;
  readonly #thresholdHigh: number;
  readonly #thresholdLow: number;

  constructor({ samplingPercentage, hashSalt }: ProbabilisticBlock) {
    const salt = fnv1a64(new TextEncoder().encode(hashSalt === '' ? DEFAULT_SALT : hashSalt));
    this.#saltHigh = Number(salt >> 32n);
    this.#saltLow = Number(salt & 0xffff_ffffn);
    const threshold = hashThreshold(samplingPercentage / 100);
    this.#thresholdHigh = Number(threshold >> 32n);
    this.#thresholdLow = Number(threshold & 0xffff_ffffn);
  }

  /** FNV-1a with 64 bits in two words: the prime is 2^40 + 435. */
  vote({ ids, idAt }: TraceFacts): Vote {
    let high = this.#saltHigh | 0;
    let low = this.#saltLow | 0;
    for (let word = idAt; word < idAt + 4; word++) {
      const id = ids[word]!;
      for (let shift = 24; shift >= 0; shift -= 8) {
        low ^= (id >>> shift) & 0xff;
        // The product of the low word in halves, so that everything stays a 32-bit integer.
        const half = (low & 0xffff) * 435;
        const upper = (low >>> 16) * 435 + (half >>> 16);
        high = (Math.imul(high, 435) + (upper >>> 16) + (low << 8)) | 0;
        low = (upper << 16) | (half & 0xffff);
      }
    }
    high >>>= 0;
    low >>>= 0;
    return voteOf(high < this.#thresholdHigh || (high === this.#thresholdHigh && low <= this.#thresholdLow));
  }
}

const FNV_OFFSET = 0xcbf2_9ce4_8422_2325n;
const FNV_PRIME = 0x100_0000_01b3n;

function fnv1a64(bytes: Uint8Array): bigint {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}

const HASH_MAX = 2n ** 64n - 1n;

/** ratio x (2^64 - 1), rounded to 64 significant bits as Go's big.Float does, then cut to a whole number. */
export function hashThreshold(ratio: number): bigint {
  if (!(ratio > 0)) return 0n;
  if (ratio >= 1) return HASH_MAX;
  // ratio is mantissa / 2^scale, exactly.
  let scale = 0n;
  let mantissa = ratio;
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    scale++;
  }
  let product = HASH_MAX * BigInt(mantissa);
  const surplusBits = BigInt(product.toString(2).length - 64);
  if (surplusBits > 0n) {
    const half = 1n << (surplusBits - 1n);
    const rest = product & ((1n << surplusBits) - 1n);
    product >>= surplusBits;
    if (rest > half || (rest === half && (product & 1n) === 1n)) product += 1n;
    product <<= surplusBits;
  }
  return product >> scale;
}
