/** From one type to another, ids, and the logarithm. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../stdx/clock.ts';
import { EvaluationError } from '../errors.ts';
import { hexOf } from '../fields.ts';
import { DurationValue, IdValue, TimeValue, type Value } from '../value.ts';
import { parseInt64 } from './coerce.ts';
import { type Converter, type Converters, param, UNKNOWN } from './converter.ts';

const HEX = /^[0-9a-fA-F]*$/;

function parseInBase(text: string, base: number): Value {
  if (text === '') throw new EvaluationError('nothing to read an int from');
  if (base !== 0 && (base < 2 || base > 36)) throw new EvaluationError(`there is no base ${base}`);
  const [digits, radix] = base === 0 ? prefixed(text) : [text, base];
  const value = parseInt64(digits, radix);
  if (value === undefined) throw new EvaluationError(`${JSON.stringify(text)} is no int in base ${base}`);
  return value;
}

/** Base 0: the prefix tells. */
function prefixed(text: string): [string, number] {
  const [, sign = '', prefix = '', digits = ''] = /^([+-]?)(0[xX]|0[oO]|0[bB]|0(?=[0-9]))?(.*)$/.exec(text)!;
  const radix = { '0x': 16, '0o': 8, '0b': 2, '0': 8 }[prefix.toLowerCase()] ?? 10;
  return [sign + digits.replaceAll('_', ''), radix];
}

/** An id of raw bytes, or of as many hexadecimal digits. */
function idOf(value: Value, sizeBytes: number): Value {
  const bytes = value as Uint8Array | undefined;
  if (bytes?.length === sizeBytes) return new IdValue(bytes);
  const text = bytes === undefined ? '' : Buffer.from(bytes).toString('latin1');
  if (text.length === sizeBytes * 2 && HEX.test(text))
    return new IdValue(Uint8Array.from(Buffer.from(text, 'hex')));
  throw new EvaluationError(`an id has ${sizeBytes} bytes or ${sizeBytes * 2} hexadecimal digits`);
}

function idConverter(sizeBytes: number): Converter {
  return {
    params: [param('target', 'bytes-like')],
    check: ([target]) => {
      if (target === UNKNOWN) return undefined;
      try {
        idOf(target as Value, sizeBytes);
        return undefined;
      } catch (error) {
        return (error as Error).message;
      }
    },
    apply: ([target]) => idOf(target, sizeBytes),
  };
}

function logarithm(value: Value): Value {
  if (value === undefined || (value as number) <= 0)
    throw new EvaluationError('only numbers above 0 have a logarithm');
  return Math.log(value as number);
}

function uuidText(bytes: Uint8Array, version: number): string {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = hexOf(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Milliseconds since 1970 in 48 bits, then randomness. */
function timedBytes(): Uint8Array {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(systemClock.unixMs(), 0, 6);
  return bytes;
}

const NANOS_MS = 1_000_000n;
const NANOS_S = 1_000_000_000n;

/** Whole units in a duration, towards zero. */
const whole = (nanos: bigint): Converter => ({
  params: [param('duration', 'duration')],
  apply: ([duration]) => (duration as DurationValue).nanos / nanos,
});

const fraction = (nanos: bigint): Converter => ({
  params: [param('duration', 'duration')],
  apply: ([duration]) => {
    const value = (duration as DurationValue).nanos;
    return Number(value / nanos) + Number(value % nanos) / Number(nanos);
  },
});

/** Whole units since 1970, rounded down. */
const sinceEpoch = (nanos: bigint): Converter => ({
  params: [param('time', 'time')],
  apply: ([time]) => {
    const value = (time as TimeValue).nanos;
    return (value - (((value % nanos) + nanos) % nanos)) / nanos;
  },
});

const UNITS: Readonly<Record<string, bigint>> = {
  ...{ ns: 1n, us: 1000n, µs: 1000n, μs: 1000n, ms: NANOS_MS, s: NANOS_S },
  ...{ m: 60n * NANOS_S, h: 3600n * NANOS_S },
};

/** Go notation: numbers with units, one behind the other. */
function durationOf(text: string): Value {
  if (/^[+-]?0$/.test(text)) return new DurationValue(0n);
  const isNegative = text.startsWith('-');
  const rest = text.replace(/^[+-]/, '');
  const part = /([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)/uy;
  let nanos = 0n;
  let at = 0;
  while (at < rest.length) {
    part.lastIndex = at;
    const match = part.exec(rest);
    const [all = '', digits = '', decimals = '', unit = ''] = match ?? [];
    if (match === null || digits + decimals === '' || all === '') {
      throw new EvaluationError(`${JSON.stringify(text)} is no duration`);
    }
    const scale = UNITS[unit]!;
    nanos += BigInt(digits || '0') * scale;
    if (decimals !== '') nanos += (BigInt(decimals) * scale) / 10n ** BigInt(decimals.length);
    at += all.length;
  }
  const signed = isNegative ? -nanos : nanos;
  if (rest === '' || BigInt.asIntN(64, signed) !== signed)
    throw new EvaluationError(`${JSON.stringify(text)} is no duration`);
  return new DurationValue(signed);
}

export const CONVERSION_CONVERTERS: Converters = {
  String: { params: [param('target', 'string-like')], apply: ([target]) => target },
  Int: { params: [param('target', 'int-like')], apply: ([target]) => target },
  Double: { params: [param('target', 'float-like')], apply: ([target]) => target },
  Bool: { params: [param('target', 'bool-like')], apply: ([target]) => target },
  ParseInt: {
    params: [param('target', 'string'), param('base', 'int')],
    apply: ([target, base]) => parseInBase(target as string, Number(base)),
  },
  Hex: {
    params: [param('target', 'bytes-like')],
    apply: ([target]) => (target === undefined ? '' : hexOf(target as Uint8Array)),
  },
  TraceID: idConverter(16),
  SpanID: idConverter(8),
  Log: { params: [param('target', 'float-like')], apply: ([target]) => logarithm(target) },
  UUID: { params: [], isVolatile: true, apply: () => uuidText(randomBytes(16), 4) },
  UUIDv7: { params: [], isVolatile: true, apply: () => uuidText(timedBytes(), 7) },
  Duration: { params: [param('duration', 'string')], apply: ([text]) => durationOf(text as string) },
  Hours: fraction(3600n * NANOS_S),
  Minutes: fraction(60n * NANOS_S),
  Seconds: fraction(NANOS_S),
  Milliseconds: whole(NANOS_MS),
  Microseconds: whole(1000n),
  Nanoseconds: whole(1n),
  UnixSeconds: sinceEpoch(NANOS_S),
  UnixMilli: sinceEpoch(NANOS_MS),
  UnixMicro: sinceEpoch(1000n),
  UnixNano: sinceEpoch(1n),
  Unix: {
    params: [param('seconds', 'int'), { ...param('nanoseconds', 'int'), isOptional: true }],
    apply: ([seconds, nanos = 0n]) => new TimeValue((seconds as bigint) * NANOS_S + (nanos as bigint)),
  },
};
