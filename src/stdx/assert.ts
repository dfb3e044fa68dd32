/** Programmer errors only: bad input gets a typed error instead. */
export function assert(condition: boolean, message = 'assertion failed'): asserts condition {
  if (!condition) throw new Error(message);
}
