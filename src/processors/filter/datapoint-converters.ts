/** What this processor adds to the converters of the language, for conditions about metrics. */
import { ANY_STRING, type AnyValueView } from '../../otlp/any-value-view.ts';
import { AttributeCursor } from '../../otlp/item-view.ts';
import { type Converter, type Converters, param } from '../../ottl/converters/converter.ts';
import type { OttlCursor } from '../../ottl/cursor.ts';
import { HOLDER_ITEM } from '../../ottl/cursor.ts';
import type { OttlContext } from '../../ottl/fields.ts';

const UTF8 = new TextEncoder();

/** The value of the first point of the metric that has the key. */
function findOnPoints(cursor: OttlCursor, key: Uint8Array): AnyValueView | undefined {
  const { index, metric, bytes } = cursor;
  const attributes = new AttributeCursor();
  const end = index.metricItemEnd(metric);
  for (let item = index.metricFirstItem[metric]!; item < end; item++) {
    attributes.reset(bytes, index.itemBody[item]!, index.itemEnd[item]!, cursor.attributesTag(HOLDER_ITEM));
    if (attributes.find(key)) return attributes.value;
  }
  return undefined;
}

const hasKey: Converter = {
  params: [param('key', 'string')],
  contexts: ['metric'],
  isVolatile: true,
  apply: ([key], cursor) => findOnPoints(cursor, UTF8.encode(key as string)) !== undefined,
};

/** The first point with the key decides; a value that is no text counts as an empty one. */
const hasAttribute: Converter = {
  params: [param('key', 'string'), param('expected_val', 'string')],
  contexts: ['metric'],
  isVolatile: true,
  apply: ([key, expected], cursor) => {
    const value = findOnPoints(cursor, UTF8.encode(key as string));
    if (value === undefined) return false;
    return (value.kind === ANY_STRING ? value.text() : '') === expected;
  },
};

const POINT_CONVERTERS: Converters = { HasAttrKeyOnDatapoint: hasKey, HasAttrOnDatapoint: hasAttribute };
const NONE: Converters = {};

export function convertersOf(context: OttlContext): Converters {
  return context === 'metric' ? POINT_CONVERTERS : NONE;
}
