/** One mistake in a text, with where it is. */
export interface OttlIssue {
  readonly message: string;
  /** From 1. */
  readonly column: number;
}

/** A text that is no valid condition: all that is wrong with it, as far as that can be told. */
export class OttlSyntaxError extends Error {
  override readonly name = 'OttlSyntaxError';
  readonly issues: readonly OttlIssue[];

  constructor(issues: readonly OttlIssue[]) {
    super(issues.map(({ message, column }) => `${message} (column ${column})`).join('; '));
    this.issues = issues;
  }
}

/**
 * A condition that has no answer for this item: a missing index, a value of the wrong type. It has no stack: a
 * condition may fail for every item, and taking one costs more than everything else.
 */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';

  constructor(message: string) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
  }
}

/** Thrown inside the compiler; ends up as an issue of the whole text. */
export function syntaxError(message: string, column: number): OttlSyntaxError {
  return new OttlSyntaxError([{ message, column }]);
}
