/** What policies ask for while they are compiled: a place in the facts of a trace for each thing they test. */
import type { ComponentSettings } from '../../../component/settings.ts';
import type { OttlCursor } from '../../../ottl/cursor.ts';
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

/**
 * Facts of a kind that only their policy knows, in words of their own. Gathering has to be commutative and
 * associative, so that neither the order of spans nor the number of workers shows. It must not throw.
 */
export interface FactGatherer {
  /** Starts on another request. */
  begin(bytes: Uint8Array, index: RequestIndex): void;
  /** Adds a span to the words from `at` on. */
  observe(item: number, words: Uint32Array, at: number): void;
  /** Adds what was gathered elsewhere about the same trace. */
  merge(words: Uint32Array, at: number, from: Uint32Array, fromAt: number): void;
}

/** The same test asked for twice gives the same place; equal tests have equal identities. */
export interface PolicyCompiler {
  readonly settings: ComponentSettings;
  /** So many policy sets decide side by side, each about traces of its own: a rate is divided among them. */
  readonly deciderCount: number;
  /** Whether `invert_match` answers with votes of its own. */
  readonly usesOldInversion: boolean;
  /** Passed by an attribute of the resource or of a span; of duplicates the first one counts. */
  attributeAtom(key: string, identity: string, makeTest: () => ValueTest): Atom;
  /** @param code 0 unset, 1 ok, 2 error. */
  statusAtom(code: number): Atom;
  /** The sampled flag of a span. */
  sampledFlagAtom(): Atom;
  /** One of the values as a member of `tracestate`. */
  traceStateAtom(key: string, values: readonly string[]): Atom;
  /** Word that holds the number of spans. */
  spanCountWord(): number;
  /** First of four words: earliest start and latest end in nanoseconds, the high word before the low one. */
  timesWord(): number;
  /** Word that holds the encoded size of all spans. */
  sizeWord(): number;
  /** First of `wordCount` words that a gatherer fills. */
  gather(identity: string, wordCount: number, makeGatherer: () => FactGatherer): number;
  /** For conditions in OTTL: all of them look at the same place, so that a message is read once for all. */
  ottlCursor(): OttlCursor;
  compile(policy: PolicyOf<string, unknown>): Policy;
}
