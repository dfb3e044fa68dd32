import type { Condition } from './condition.ts';
import type { OttlCursor } from './cursor.ts';
import { EvaluationError } from './errors.ts';

export const ERROR_MODES = ['ignore', 'silent', 'propagate'] as const;

/**
 * What a condition without an answer does.
 *
 * | mode        | the condition   | the others  | errors                       |
 * | ----------- | --------------- | ----------- | ---------------------------- |
 * | `ignore`    | counts as false | still count | counted, and told in the log |
 * | `silent`    | counts as false | still count | counted                      |
 * | `propagate` |                 |             | thrown                       |
 */
export type ErrorMode = (typeof ERROR_MODES)[number];

/** Conditions of which one has to hold. */
export class ConditionList {
  /** Evaluations without an answer so far, thrown ones included. */
  errorCount = 0;
  readonly errorMode: ErrorMode;
  readonly #conditions: readonly Condition[];
  #failed: Condition | undefined;
  #failure: EvaluationError | undefined;

  constructor(conditions: readonly Condition[], errorMode: ErrorMode) {
    this.#conditions = conditions;
    this.errorMode = errorMode;
  }

  get count(): number {
    return this.#conditions.length;
  }

  /** The condition that failed last and what was wrong with it; empty when none did. */
  get errorText(): string {
    return this.#failed === undefined ? '' : `${this.#failed.text}: ${this.#failure!.message}`;
  }

  /** @throws EvaluationError in mode `propagate`. */
  matches(cursor: OttlCursor): boolean {
    const conditions = this.#conditions;
    for (let at = 0; at < conditions.length; at++) {
      const condition = conditions[at]!;
      try {
        if (condition.evaluate(cursor)) return true;
      } catch (error) {
        if (!(error instanceof EvaluationError)) throw error;
        this.errorCount++;
        this.#failed = condition;
        this.#failure = error;
        if (this.errorMode === 'propagate') throw new EvaluationError(this.errorText);
      }
    }
    return false;
  }
}
