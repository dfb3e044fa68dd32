/** What a type of policy is made of: the block of its keys, and how it is compiled. */
import type { Shape } from '../../../config/schema.ts';
import type { Policy } from './policy.ts';
import type { PolicyCompiler } from './policy-compiler.ts';

/** One policy as parsed: `block` holds the keys below the key that is named as the type. */
export interface PolicyOf<T extends string, B> {
  name: string;
  type: T;
  block: B;
}

/**
 * One entry of the table in policy-types.ts. Everything the engine knows about a type is here: configuration,
 * documentation and compilation follow from it.
 */
export interface PolicyType<T extends string, B> {
  readonly type: T;
  /** undefined: the type has no keys and its block is undefined. */
  readonly block: Shape<B> | undefined;
  readonly doc: string;
  /** It may stand inside `and`, `not`, `drop` and `composite`. */
  readonly isNestable: boolean;
  /** Its answer about some spans of a trace may be taken back by later ones, so that `span-ingest` cannot use it. */
  needsWholeTrace(block: B): boolean;
  /** Registers the facts it needs and says what to do with them. */
  compile(block: B, compiler: PolicyCompiler): Policy;
}
