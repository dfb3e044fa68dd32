import type { Logger } from '../../../component/settings.ts';
import { oneOf, stringList } from '../../../config/field-kinds.ts';
import { type CheckIssue, defineShape } from '../../../config/schema.ts';
import { RepeatedCursor } from '../../../otlp/item-view.ts';
import { TAG_SPAN_EVENTS } from '../../../otlp/tags.ts';
import { type Condition, compileCondition } from '../../../ottl/condition.ts';
import type { OttlCursor } from '../../../ottl/cursor.ts';
import { OttlSyntaxError } from '../../../ottl/errors.ts';
import type { RequestIndex } from '../../../pdata/request-index.ts';
import { type Policy, type TraceFacts, VOTE_ERROR, VOTE_SAMPLED, type Vote, voteOf } from './policy.ts';
import type { FactGatherer } from './policy-compiler.ts';
import type { PolicyType } from './policy-type.ts';

export interface OttlConditionBlock {
  errorMode: 'ignore' | 'silent' | 'propagate';
  span: string[];
  spanEvent: string[];
}

type ConditionContext = 'span' | 'spanevent';

export const ottlConditionPolicy: PolicyType<'ottl_condition', OttlConditionBlock> = {
  type: 'ottl_condition',
  doc: 'A condition in OTTL is true for a span, or for an event of one.',
  isNestable: true,
  block: defineShape<OttlConditionBlock>(
    {
      errorMode: oneOf('error_mode', {
        values: ['ignore', 'silent', 'propagate'],
        default: 'propagate',
        doc: 'What a failing condition does: it is false, with a line in the log or without one, or the policy has no vote unless a condition is true on another span.',
      }),
      span: stringList('span', { default: [], doc: 'Conditions on spans, of which one has to be true.' }),
      spanEvent: stringList('spanevent', { default: [], doc: 'Conditions on events of spans.' }),
    },
    ({ span, spanEvent }) => {
      if (span.length + spanEvent.length === 0)
        return [{ key: '', message: 'needs "span", "spanevent" or both' }];
      return [...conditionIssues(span, 'span'), ...conditionIssues(spanEvent, 'spanevent')];
    },
  ),
  needsWholeTrace: () => false,
  compile: (block, compiler) => {
    const cursor = compiler.ottlCursor();
    const { logger } = compiler.settings;
    const word = compiler.gather(
      JSON.stringify(block),
      1,
      () => new ConditionGatherer(block, cursor, logger),
    );
    return new OttlPolicy(word);
  },
};

/** The key of each list is the name of its context. */
function conditionIssues(texts: readonly string[], context: ConditionContext): CheckIssue[] {
  return texts.flatMap((text, index): CheckIssue[] => {
    try {
      compileCondition(text, { context });
      return [];
    } catch (error) {
      if (!(error instanceof OttlSyntaxError)) throw error;
      return [{ key: `${context}.${index}`, message: error.message }];
    }
  });
}

/* Bits of its word. */
const PASSED = 1;
const FAILED = 2;

class OttlPolicy implements Policy {
  readonly #word: number;

  constructor(word: number) {
    this.#word = word;
  }

  /** A span that passed counts more than one that failed, so that their order does not matter. */
  vote({ words, at }: TraceFacts): Vote {
    const bits = words[at + this.#word]!;
    if ((bits & PASSED) !== 0) return VOTE_SAMPLED;
    return (bits & FAILED) !== 0 ? VOTE_ERROR : voteOf(false);
  }
}

class ConditionGatherer implements FactGatherer {
  readonly #ofSpan: readonly Condition[];
  readonly #ofEvent: readonly Condition[];
  readonly #errorMode: OttlConditionBlock['errorMode'];
  readonly #cursor: OttlCursor;
  readonly #logger: Logger;
  readonly #events = new RepeatedCursor();
  #bytes = new Uint8Array(0) as Uint8Array;
  #index: RequestIndex | undefined;
  #hasLogged = false;

  constructor({ span, spanEvent, errorMode }: OttlConditionBlock, cursor: OttlCursor, logger: Logger) {
    this.#ofSpan = span.map((text) => compileCondition(text, { context: 'span' }));
    this.#ofEvent = spanEvent.map((text) => compileCondition(text, { context: 'spanevent' }));
    this.#errorMode = errorMode;
    this.#cursor = cursor;
    this.#logger = logger;
  }

  begin(bytes: Uint8Array, index: RequestIndex): void {
    this.#bytes = bytes;
    this.#index = index;
    this.#hasLogged = false;
    this.#cursor.begin('traces', bytes, index);
  }

  observe(item: number, words: Uint32Array, at: number): void {
    if ((words[at]! & PASSED) !== 0) return;
    const cursor = this.#cursor;
    if (cursor.item !== item) cursor.moveToItem(item);
    words[at]! |= this.#test(this.#ofSpan) || (this.#ofEvent.length > 0 ? this.#testEvents(item) : 0);
  }

  merge(words: Uint32Array, at: number, from: Uint32Array, fromAt: number): void {
    words[at]! |= from[fromAt]!;
  }

  /** @returns PASSED, FAILED or 0; the first of the two ends it. */
  #test(conditions: readonly Condition[]): number {
    for (let i = 0; i < conditions.length; i++) {
      const condition = conditions[i]!;
      try {
        if (condition.evaluate(this.#cursor)) return PASSED;
      } catch (error) {
        if (this.#errorMode === 'propagate') return FAILED;
        if (this.#errorMode === 'ignore') this.#log(condition, error);
      }
    }
    return 0;
  }

  #testEvents(item: number): number {
    const index = this.#index!;
    const events = this.#events;
    events.reset(this.#bytes, index.itemBody[item]!, index.itemEnd[item]!, TAG_SPAN_EVENTS);
    for (let ordinal = 0; events.next(); ordinal++) {
      this.#cursor.moveToEvent(ordinal, events.start, events.end);
      const bits = this.#test(this.#ofEvent);
      if (bits !== 0) return bits;
    }
    return 0;
  }

  /** Once a request. */
  #log({ text }: Condition, error: unknown): void {
    if (this.#hasLogged) return;
    this.#hasLogged = true;
    this.#logger.warn('a sampling condition failed', { condition: text, error: (error as Error).message });
  }
}
