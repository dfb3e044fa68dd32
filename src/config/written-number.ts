/**
 * A number whose YAML says more than its value in JavaScript does: `1.0` is a double and no integer, `9007199254740993` has
 * digits that a double has not. Only keys that take a value of any type see this class; all others get `value`.
 */
export class WrittenNumber {
  readonly value: number;
  /** The number as an integer of any size; undefined when it was written as a double. */
  readonly integer: bigint | undefined;

  private constructor(value: number, integer: bigint | undefined) {
    this.value = value;
    this.integer = integer;
  }

  /** @returns the plain number where it says everything. */
  static of(value: number, text: string): number | WrittenNumber {
    if (DECIMAL_INTEGER.test(text)) {
      return Number.isSafeInteger(value) ? value : new WrittenNumber(value, BigInt(text.replace(/^\+/, '')));
    }
    return DOUBLE.test(text) && Number.isInteger(value) ? new WrittenNumber(value, undefined) : value;
  }

  toJSON(): number {
    return this.value;
  }
}

const DECIMAL_INTEGER = /^[-+]?\d{1,400}$/;
const DOUBLE = /^[-+]?[\d.]+(?:[eE][-+]?\d+)?$/;

/** Plain data, because a plan goes to other threads, where classes would be lost. */
export function withNumberKinds(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (value instanceof WrittenNumber) return value.integer ?? value.value;
  if (Array.isArray(value)) return value.map(withNumberKinds);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, withNumberKinds(below)]));
}
