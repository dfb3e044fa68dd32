/** Values as the Collector's debug exporter writes them, on one line whatever they hold. */
import type { AnyValue, Double, KeyValue } from './otlp-objects.ts';

/**
 * Control characters, line separators and marks that turn the direction of text: any of them would let data write
 * lines of its own, drive a terminal, or show something else than what is there.
 */
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Data as text that stays on its line. Backslashes stay as they are. */
export function clean(text: string | undefined): string {
  if (text === undefined) return '';
  return text.replace(UNSAFE, (char) => {
    return SHORT_ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** `Str(value)`, `Int(3)`, `Map({"a":1})`, ... */
export function typedValue(value: AnyValue | undefined): string {
  return `${typeName(value)}(${plainValue(value)})`;
}

function typeName(value: AnyValue = {}): string {
  if (value.stringValue !== undefined) return 'Str';
  if (value.boolValue !== undefined) return 'Bool';
  if (value.intValue !== undefined) return 'Int';
  if (value.doubleValue !== undefined) return 'Double';
  if (value.arrayValue !== undefined) return 'Slice';
  if (value.kvlistValue !== undefined) return 'Map';
  return value.bytesValue === undefined ? 'Empty' : 'Bytes';
}

/** The value without its type: strings bare, maps and lists as JSON, bytes as Base64. */
export function plainValue(value: AnyValue = {}): string {
  if (value.stringValue !== undefined) return clean(value.stringValue);
  if (value.bytesValue !== undefined) return value.bytesValue;
  if (value.arrayValue === undefined && value.kvlistValue === undefined) return scalarText(value) ?? '';
  return clean(jsonValue(value));
}

function scalarText(value: AnyValue): string | undefined {
  if (value.boolValue !== undefined) return String(value.boolValue);
  return value.intValue ?? (value.doubleValue === undefined ? undefined : doubleText(value.doubleValue));
}

// Made by hand, because JSON.stringify would round 64-bit integers.
function jsonValue(value: AnyValue = {}): string {
  if (value.stringValue !== undefined) return JSON.stringify(value.stringValue);
  if (value.bytesValue !== undefined) return JSON.stringify(value.bytesValue);
  if (value.arrayValue !== undefined) return `[${(value.arrayValue.values ?? []).map(jsonValue).join(',')}]`;
  if (value.kvlistValue !== undefined) {
    const members = [...(value.kvlistValue.values ?? [])].sort(byKey);
    return `{${members.map((member) => `${JSON.stringify(member.key ?? '')}:${jsonValue(member.value)}`).join(',')}}`;
  }
  return scalarText(value) ?? 'null';
}

function byKey(a: KeyValue, b: KeyValue): number {
  const left = a.key ?? '';
  const right = b.key ?? '';
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Shortest text that reads back as the same double: a plain JSON number where there is one. */
export function doubleText(value: Double): string {
  const number = Number(value);
  return Number.isFinite(number) ? String(number) : infinityText(number);
}

function infinityText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

/** Go's `%v` of a double: shortest digits, an exponent of at least two digits below 1e-4 and from 1e21 on. */
export function shortDouble(value: Double): string {
  const number = Number(value);
  if (!Number.isFinite(number)) return infinityText(number);
  if (number === 0) return Object.is(number, -0) ? '-0' : '0';
  const [digits, exponentText] = number.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 21) return String(number);
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Go's `%f` of a double: six digits behind the point. */
export function fixedDouble(value: Double | undefined): string {
  const number = Number(value ?? 0);
  if (!Number.isFinite(number)) return infinityText(number);
  if (Math.abs(number) >= 1e21) return `${BigInt(number)}.000000`;
  return `${Object.is(number, -0) ? '-' : ''}${number.toFixed(6)}`;
}

/** `2020-02-11 20:26:12.000000321 +0000 UTC` from nanoseconds since the epoch, which the Collector reads as signed. */
export function timeText(unixNano: string | undefined): string {
  const nanos = BigInt.asIntN(64, BigInt(unixNano ?? '0'));
  const subsecond = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const date = new Date(Number((nanos - subsecond) / 1_000_000n));
  const fraction = subsecond === 0n ? '' : `.${String(subsecond).padStart(9, '0').replace(/0+$/, '')}`;
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}${fraction} +0000 UTC`;
}
