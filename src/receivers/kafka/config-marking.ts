/** Keys of the receiver `kafka` about records that cannot be taken, and what follows from them. */
import { boolean, duration, number } from '../../config/field-kinds.ts';
import { defineShape, type Shape } from '../../config/schema.ts';
import type { BackoffConfig } from '../../stdx/backoff.ts';

export interface MarkingConfig {
  after: boolean;
  onError: boolean;
  /** undefined: the user did not write it. */
  onPermanentError: boolean | undefined;
}

export interface ErrorBackoffConfig extends BackoffConfig {
  isEnabled: boolean;
  /** 0: for ever. */
  maxElapsedMs: number;
}

export const markingShape: Shape<MarkingConfig> = defineShape<MarkingConfig>({
  after: boolean('after', {
    default: false,
    doc: 'Let the next two keys decide about records that cannot be taken. Offsets are marked after the flush either way.',
  }),
  onError: boolean('on_error', {
    default: false,
    doc: 'With `after`: give records up that could be taken later, once `error_backoff` has ended. They are lost then.',
  }),
  onPermanentError: boolean('on_permanent_error', {
    doc: 'With `after`: `false` stops a partition at a record that can never be taken. Default: it is counted and passed.',
  }),
});

export const errorBackoffShape: Shape<ErrorBackoffConfig> = defineShape<ErrorBackoffConfig>({
  isEnabled: boolean('enabled', {
    default: false,
    doc: 'Wait as the following keys say, instead of half a second to 10 s.',
  }),
  initialIntervalMs: duration('initial_interval', { default: '5s', min: 1, doc: 'First wait.' }),
  maxIntervalMs: duration('max_interval', { default: '30s', min: 1, doc: 'Longest wait.' }),
  multiplier: number('multiplier', { default: 1.5, min: 1, doc: 'Growth from wait to wait.' }),
  randomizationFactor: number('randomization_factor', {
    default: 0.5,
    min: 0,
    max: 1,
    doc: 'Share by which waits vary.',
  }),
  maxElapsedMs: duration('max_elapsed_time', {
    default: '0s',
    doc: 'With `message_marking.on_error`: when a record is given up; 0: never.',
  }),
});

const OWN_BACKOFF: BackoffConfig = {
  initialIntervalMs: 500,
  maxIntervalMs: 10_000,
  multiplier: 1.5,
  randomizationFactor: 0.3,
};

/** What happens to a record that was not stored. */
export interface MarkingRules {
  /** A record that could be taken later is given up after this time, in ms; Infinity: never. */
  giveUpAfterMs: number;
  /** A record that can never be taken is counted and passed; otherwise its partition stands still. */
  passesPermanent: boolean;
  backoff: BackoffConfig;
}

export function markingRules(marking: MarkingConfig, errorBackoff: ErrorBackoffConfig): MarkingRules {
  const { after, onError, onPermanentError } = marking;
  const { isEnabled, maxElapsedMs } = errorBackoff;
  const retriesFor = isEnabled ? maxElapsedMs || Number.POSITIVE_INFINITY : 0;
  return {
    giveUpAfterMs: after && onError ? retriesFor : Number.POSITIVE_INFINITY,
    passesPermanent: !after || (onPermanentError ?? true),
    backoff: isEnabled ? errorBackoff : OWN_BACKOFF,
  };
}
