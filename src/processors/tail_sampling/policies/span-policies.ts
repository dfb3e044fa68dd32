/** Policies over the other properties of spans and over what a trace amounts to. */
import { integer, string, stringList } from '../../../config/field-kinds.ts';
import { type CheckIssue, defineShape } from '../../../config/schema.ts';
import { type Policy, type TraceFacts, VOTE_SAMPLED, type Vote, voteOf } from './policy.ts';
import type { Atom } from './policy-compiler.ts';
import type { PolicyType } from './policy-type.ts';

export const alwaysSamplePolicy: PolicyType<'always_sample', undefined> = {
  type: 'always_sample',
  doc: 'Every trace.',
  isNestable: true,
  block: undefined,
  needsWholeTrace: () => false,
  compile: () => ({ vote: () => VOTE_SAMPLED }),
};

export interface StatusCodeBlock {
  /** `UNSET`, `OK`, `ERROR`. */
  statusCodes: string[];
}

const STATUS_CODES = ['UNSET', 'OK', 'ERROR'];

export const statusCodePolicy: PolicyType<'status_code', StatusCodeBlock> = {
  type: 'status_code',
  doc: 'A span has one of the status codes.',
  isNestable: true,
  block: defineShape<StatusCodeBlock>(
    {
      statusCodes: stringList('status_codes', {
        required: true,
        doc: 'One or more of `OK`, `ERROR` and `UNSET`.',
      }),
    },
    ({ statusCodes }) => {
      if (statusCodes.length === 0) return [{ key: 'status_codes', message: 'must not be empty' }];
      return statusCodes.flatMap((code, index): CheckIssue[] => {
        if (STATUS_CODES.includes(code)) return [];
        return [{ key: `status_codes.${index}`, message: 'expected one of OK, ERROR, UNSET' }];
      });
    },
  ),
  needsWholeTrace: () => false,
  compile: ({ statusCodes }, compiler) => {
    const codes = [...new Set(statusCodes)].map((code) => STATUS_CODES.indexOf(code));
    return new AnyAtomPolicy(codes.map((code) => compiler.statusAtom(code)));
  },
};

export interface TraceStateBlock {
  key: string;
  values: string[];
}

export const traceStatePolicy: PolicyType<'trace_state', TraceStateBlock> = {
  type: 'trace_state',
  doc: 'The `tracestate` of a span has a member with one of the values.',
  isNestable: true,
  block: defineShape<TraceStateBlock>(
    {
      key: string('key', { required: true, doc: 'Name of the member.' }),
      values: stringList('values', {
        required: true,
        doc: 'Its values; one that makes 256 characters or more together with the key never matches.',
      }),
    },
    ({ key, values }) => {
      const issues: CheckIssue[] = key === '' ? [{ key: 'key', message: 'must not be empty' }] : [];
      return values.length > 0 ? issues : [...issues, { key: 'values', message: 'must not be empty' }];
    },
  ),
  needsWholeTrace: () => false,
  compile: ({ key, values }, compiler) => new AnyAtomPolicy([compiler.traceStateAtom(key, values)]),
};

export const traceFlagsPolicy: PolicyType<'trace_flags', undefined> = {
  type: 'trace_flags',
  doc: 'A span has the sampled flag.',
  isNestable: true,
  block: undefined,
  needsWholeTrace: () => false,
  compile: (_block, compiler) => new AnyAtomPolicy([compiler.sampledFlagAtom()]),
};

export interface SpanCountBlock {
  minSpans: number;
  /** 0: no bound. */
  maxSpans: number;
}

/** Bounds are 32 bits wide in the Collector. */
const SPANS_MAX = 2 ** 31 - 1;

export const spanCountPolicy: PolicyType<'span_count', SpanCountBlock> = {
  type: 'span_count',
  doc: 'The number of spans lies within bounds.',
  isNestable: true,
  block: defineShape<SpanCountBlock>(
    {
      minSpans: integer('min_spans', { default: 0, min: 0, max: SPANS_MAX, doc: 'Smallest number.' }),
      maxSpans: integer('max_spans', {
        default: 0,
        min: 0,
        max: SPANS_MAX,
        doc: 'Largest number; 0: no bound.',
      }),
    },
    ({ minSpans, maxSpans }) =>
      maxSpans === 0 || minSpans <= maxSpans
        ? []
        : [{ key: 'max_spans', message: 'must be 0 or at least min_spans' }],
  ),
  needsWholeTrace: ({ maxSpans }) => maxSpans > 0,
  compile: ({ minSpans, maxSpans }, compiler) => {
    const countWord = compiler.spanCountWord();
    return {
      vote: ({ words, at }) => {
        const spanCount = words[at + countWord]!;
        return voteOf(spanCount >= minSpans && (maxSpans === 0 || spanCount <= maxSpans));
      },
    };
  },
};

/** Sampled when one of the bits is set. */
export class AnyAtomPolicy implements Policy {
  readonly #words: Uint32Array;
  readonly #masks: Uint32Array;

  constructor(atoms: readonly Atom[]) {
    this.#words = Uint32Array.from(atoms, ({ word }) => word);
    this.#masks = Uint32Array.from(atoms, ({ mask }) => mask);
  }

  vote({ words, at }: TraceFacts): Vote {
    for (let i = 0; i < this.#words.length; i++) {
      if ((words[at + this.#words[i]!]! & this.#masks[i]!) !== 0) return VOTE_SAMPLED;
    }
    return voteOf(false);
  }
}
