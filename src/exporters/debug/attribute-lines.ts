import type { KeyValue } from './otlp-objects.ts';
import { clean, typedValue } from './text.ts';

/** A header and an indented line for each attribute; nothing when there are none. */
export function* attributeLines(
  header: string,
  attributes: KeyValue[] | undefined,
  indent = '',
): Generator<string> {
  if (attributes === undefined || attributes.length === 0) return;
  yield `${indent}${header}:`;
  const margin = ' '.repeat(indent.length > 0 ? 10 : 5);
  for (const { key, value } of attributes) yield `${margin}-> ${clean(key)}: ${typedValue(value)}`;
}
