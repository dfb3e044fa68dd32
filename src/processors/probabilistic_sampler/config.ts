import { boolean, count, number, oneOf, string } from '../../config/field-kinds.ts';
import { defineConfig } from '../../config/schema.ts';
import { HEX_DIGITS, MIN_PROBABILITY } from './bits56.ts';

export interface SamplerConfig {
  samplingPercentage: number;
  hashSeed: number;
  /** '' is `hash_seed`. */
  mode: '' | 'hash_seed' | 'proportional' | 'equalizing';
  failClosed: boolean;
  samplingPrecision: number;
  attributeSource: 'traceID' | 'record' | '';
  fromAttribute: string;
  samplingPriority: string;
}

const UINT32_MAX = 2 ** 32 - 1;

export const samplerConfigSchema = defineConfig<SamplerConfig>(
  {
    samplingPercentage: number('sampling_percentage', {
      default: 0,
      min: 0,
      doc: 'Share of items that stay, in percent; a 32-bit float, 100 and more keep all.',
    }),
    hashSeed: count('hash_seed', {
      default: 0,
      max: UINT32_MAX,
      doc: 'Start of the hash; all instances that shall decide alike need the same one.',
    }),
    mode: oneOf('mode', {
      values: ['', 'hash_seed', 'proportional', 'equalizing'],
      default: '',
      doc: 'Where randomness and threshold come from; empty means hash_seed.',
    }),
    failClosed: boolean('fail_closed', {
      default: true,
      doc: 'Drop items whose randomness is missing or whose sampling information is wrong.',
    }),
    samplingPrecision: count('sampling_precision', {
      default: 4,
      min: 1,
      max: HEX_DIGITS,
      doc: 'Hex digits of the threshold; leading 0 or f do not count.',
    }),
    attributeSource: oneOf('attribute_source', {
      values: ['traceID', 'record', ''],
      default: 'traceID',
      doc: 'Logs, hash_seed: hash the trace id and, without one, from_attribute; or only the attribute.',
    }),
    fromAttribute: string('from_attribute', {
      default: '',
      doc: 'Logs, hash_seed: attribute of the record whose value is hashed.',
    }),
    samplingPriority: string('sampling_priority', {
      default: '',
      doc: 'Logs: attribute of the record with a percentage that replaces the configured one.',
    }),
  },
  ({ samplingPercentage }) => {
    const ratio = Math.fround(samplingPercentage) / 100;
    return samplingPercentage > 0 && ratio < MIN_PROBABILITY
      ? [{ key: 'sampling_percentage', message: 'is too small: the least is 2^-56 as a share' }]
      : [];
  },
);
