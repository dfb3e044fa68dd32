/** What policies ask for while they are compiled: a place in the facts of a trace for each thing they test. */
import type { ComponentSettings } from '../../../component/settings.ts';
import type { RequestIndex } from '../../../pdata/request-index.ts';
import type { Policy } from './policy.ts';
import type { PolicyOf } from './policy-type.ts';
import type { ValueTest } from './value-tests.ts';

/** A bit in the facts of a trace: set once some span of it passed a test. */
export interface Atom {
  /** Offset among the words of a trace. */
  readonly word: number;
  readonly mask: number;
}

/** A test of whole spans, such as a condition in OTTL. */
export interface SpanTest {
  /** Starts on another request. */
  begin(bytes: Uint8Array, index: RequestIndex): void;
  /** @returns SPAN_PASSED, SPAN_FAILED or SPAN_ERROR. */
  test(item: number): number;
}
export const SPAN_FAILED = 0;
export const SPAN_PASSED = 1;
/** It cannot be told; the error counts when no span passes. */
export const SPAN_ERROR = 2;

/** The same test asked for twice gives the same place. */
export interface PolicyCompiler {
  readonly settings: ComponentSettings;
  /** Whether `invert_match` answers with votes of its own. */
  readonly usesOldInversion: boolean;
  /**
   * Passed by an attribute of the resource or of a span; of duplicates the first one counts.
   * @param identity tells equal tests by equal texts.
   */
  attributeAtom(key: string, identity: string, makeTest: () => ValueTest): Atom;
  /** @param code 0 unset, 1 ok, 2 error. */
  statusAtom(code: number): Atom;
  /** The sampled flag of a span. */
  sampledFlagAtom(): Atom;
  /** One of the values as a member of `tracestate`. */
  traceStateAtom(key: string, values: readonly string[]): Atom;
  /** @returns passed by some span, failed to be tested on some span. */
  spanTestAtoms(identity: string, makeTest: () => SpanTest): { passed: Atom; error: Atom };
  /** Word that holds the number of spans. */
  spanCountWord(): number;
  /** First of four words: earliest start and latest end in nanoseconds, the high word before the low one. */
  timesWord(): number;
  /** Word that holds the encoded size of all spans. */
  sizeWord(): number;
  compile(policy: PolicyOf<string, unknown>): Policy;
}
