/** Tests of types and texts. */
import { TAG_SPAN_PARENT_SPAN_ID } from '../../otlp/tags.ts';
import { matchesRegex, patternIssue } from '../dynamic-regex.ts';
import { idBytes } from '../fields.ts';
import { DurationValue, IdValue, OpaqueValue, TimeValue, type Value } from '../value.ts';
import { isKind } from './coerce.ts';
import { type Converter, type Converters, type ParameterKind, param } from './converter.ts';

function typeTest(isType: (value: Value) => boolean): Converter {
  return { params: [param('target', 'any')], apply: ([value]) => isType(value) };
}

const kindTest = (kind: ParameterKind) => typeTest((value) => isKind(kind, value));

/** Nil, nothing in it, or the zero of its type. */
function isEmpty(value: Value): boolean {
  if (value === undefined || value === false || value === 0 || value === 0n || value === '') return true;
  if (value instanceof Map) return value.size === 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof DurationValue) return value.nanos === 0n;
  if (value instanceof IdValue) return value.bytes.every((byte) => byte === 0);
  // The zero of times is the year 1, which no telemetry has.
  return !(value instanceof TimeValue) && value instanceof OpaqueValue && value.count === 0;
}

export const TYPE_CONVERTERS: Converters = {
  IsString: kindTest('string'),
  IsInt: kindTest('int'),
  IsDouble: kindTest('float'),
  IsBool: kindTest('bool'),
  IsMap: kindTest('map'),
  IsList: typeTest((value) => Array.isArray(value) || (value instanceof OpaqueValue && value.isList)),
  IsEmpty: typeTest(isEmpty),
  IsMatch: {
    params: [param('target', 'string-like'), param('pattern', 'string')],
    check: ([, pattern]) => patternIssue(pattern),
    apply: ([target, pattern]) => target !== undefined && matchesRegex(pattern as string, target as string),
  },
  IsRootSpan: {
    params: [],
    contexts: ['span'],
    isVolatile: true,
    apply: (_, cursor) => idBytes(cursor, TAG_SPAN_PARENT_SPAN_ID, 8).every((byte) => byte === 0),
  },
};
