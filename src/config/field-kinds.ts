/**
 * Kinds of configuration fields. Every kind takes the YAML key and `{ doc, default | required, ... }`; a field
 * with neither default nor `required` is undefined when the key is absent. Defaults are written as the user
 * would write them, and types are as strict as the Collector's: no number becomes a text or the reverse.
 */
import type { ZodMiniType } from 'zod/mini';
import { assert } from '../stdx/assert.ts';
import { once } from '../stdx/once.ts';
import { parseByteSize } from './byte-size.ts';
import { parseDuration } from './duration.ts';
import type { Reading } from './expanded-text.ts';
import { parseHostPort, redactEndpoint } from './host-port.ts';
import { mapOfNamedValues } from './named-values.ts';
import type {
  JsonSchema,
  LeafField,
  OtherKey,
  SectionField,
  SectionsField,
  Shape,
  SquashField,
} from './schema.ts';
import { withNumberKinds } from './written-number.ts';
import { type Zod, zod } from './zod.ts';

export interface FieldOptions<D> {
  /** One or two sentences for the documentation: what it bounds or changes. */
  doc: string;
  /** In YAML notation, e.g. `'200ms'`. */
  default?: D;
  required?: boolean;
  /** Spelling of earlier Collector releases. */
  oldKey?: string;
}

interface BoundedOptions<D> extends FieldOptions<D> {
  min?: number;
  max?: number;
}

/** With a default or `required` the value is there; otherwise it may be undefined. */
type Present<T, O> = O extends { required: true }
  ? T
  : O extends { default: infer D }
    ? D extends undefined
      ? T | undefined
      : T
    : T | undefined;

const REDACTED = '[REDACTED]';

interface KindTraits<T> {
  type: string;
  /** Called once, when a value is read or a default is asked for. */
  schema(z: Zod): ZodMiniType<T>;
  json: JsonSchema;
  reading?: Reading;
  isSecret?: boolean;
  redact?: (value: unknown) => unknown;
}

function leaf<T, O extends FieldOptions<unknown>>(
  key: string,
  options: O,
  traits: KindTraits<T>,
): LeafField<Present<T, O>> {
  const fallback = options.default;
  // Tables are made in every thread, and most of their keys are read in none.
  const schema = once(() => traits.schema(zod()));
  const defaultValue = once(() => {
    const parsed = fallback === undefined ? undefined : schema().safeParse(fallback);
    assert(parsed?.success !== false, `default of "${key}" does not parse`);
    return parsed?.data;
  });
  const field: LeafField<T> = {
    form: 'leaf',
    key,
    oldKey: options.oldKey,
    type: traits.type,
    doc: options.doc,
    defaultText: fallback === undefined ? undefined : defaultText(fallback),
    defaultYaml: fallback,
    get defaultValue() {
      return defaultValue();
    },
    required: options.required === true,
    reading: traits.reading ?? 'yaml',
    isSecret: traits.isSecret === true,
    get schema() {
      return schema();
    },
    json: traits.json,
    redact: traits.redact ?? ((value) => value),
  };
  // Absent and without default is the one case in which T is missing, which Present<T, O> says.
  return field as LeafField<Present<T, O>>;
}

function defaultText(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

function expected(what: string) {
  return { error: `expected ${what}` };
}

function bounded<T extends number>(
  z: Zod,
  schema: ZodMiniType<T>,
  options: { min?: number; max?: number },
): ZodMiniType<T> {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = options;
  const atLeast = min === 0 ? 'must be non-negative' : `must be at least ${min}`;
  return schema.check(
    z.refine((value) => value >= min, { error: atLeast, abort: true }),
    z.refine((value) => value <= max, { error: `must be at most ${max}` }),
  );
}

/** The same bounds for editors. */
function jsonBounds({ min, max }: { min?: number; max?: number }): JsonSchema {
  return { ...(min === undefined ? {} : { minimum: min }), ...(max === undefined ? {} : { maximum: max }) };
}

/** A schema that converts; `convert` returns the value or `{ error }`. */
function converted<I, T extends string | number>(
  z: Zod,
  input: ZodMiniType<I>,
  convert: (value: I) => T | { error: string },
): ZodMiniType<T> {
  return z.pipe(
    input,
    z.transform((value: I, context): T => {
      const result = convert(value);
      if (typeof result !== 'object') return result;
      context.issues.push({ code: 'custom', message: result.error, input: value });
      return z.NEVER;
    }),
  );
}

/**
 * Go notation (`1h30m`, `200ms`), in milliseconds as a number; a bare integer counts nanoseconds, as in the
 * Collector. `min` and `max` are milliseconds; `min` is 0 unless given.
 */
export function duration<const O extends BoundedOptions<string>>(key: string, options: O) {
  const schema = (z: Zod) => {
    const input = z.union([z.string(), z.int()], expected('a duration such as 200ms or 1h30m'));
    const read = (value: string | number) => (typeof value === 'number' ? value / 1e6 : parseDuration(value));
    return bounded(z, converted(z, input, read), { min: 0, ...options });
  };
  return leaf(key, options, { type: 'duration', json: { type: ['string', 'integer'] }, schema });
}

/** A whole number within 2^53. */
export function integer<const O extends BoundedOptions<number>>(key: string, options: O) {
  const json = { type: 'integer', ...jsonBounds(options) };
  return leaf(key, options, {
    type: 'integer',
    json,
    schema: (z) => bounded(z, z.int(expected('an integer')), options),
  });
}

/** A whole number from 0 (or `min`) on. */
export function count<const O extends BoundedOptions<number>>(key: string, options: O) {
  return integer(key, { min: 0, ...options });
}

export function number<const O extends BoundedOptions<number>>(key: string, options: O) {
  const json = { type: 'number', ...jsonBounds(options) };
  return leaf(key, options, {
    type: 'number',
    json,
    schema: (z) => bounded(z, z.number(expected('a number')), options),
  });
}

export function boolean<const O extends FieldOptions<boolean>>(key: string, options: O) {
  const schema = (z: Zod) => z.boolean(expected('true or false'));
  return leaf(key, options, { type: 'boolean', json: { type: 'boolean' }, schema });
}

interface TextOptions extends FieldOptions<string> {
  /** The whole value must match; `patternHint` says in words what is wanted. */
  pattern?: RegExp;
  patternHint?: string;
}

function textSchema(z: Zod, options: TextOptions): ZodMiniType<string> {
  const { pattern, patternHint = `must match ${options.pattern}` } = options;
  const schema = z.string(expected('a string'));
  return pattern === undefined ? schema : schema.check(z.refine((value) => pattern.test(value), patternHint));
}

export function string<const O extends TextOptions>(key: string, options: O) {
  const traits = { type: 'string', reading: 'text' as const, json: { type: 'string' } };
  return leaf(key, options, { ...traits, schema: (z) => textSchema(z, options) });
}

/** An address in a notation of its own, which its component checks; printed as `endpoint` is. */
export function target<const O extends TextOptions>(key: string, options: O) {
  const redact = (value: unknown) => (typeof value === 'string' ? redactEndpoint(value) : value);
  const traits = { type: 'string', reading: 'text' as const, json: { type: 'string' } };
  return leaf(key, options, { ...traits, schema: (z) => textSchema(z, options), redact });
}

/** A string that no message, log line or printed configuration shows. */
export function secret<const O extends TextOptions>(key: string, options: O) {
  return leaf(key, options, {
    type: 'secret',
    reading: 'text',
    json: { type: 'string' },
    isSecret: true,
    schema: (z) => textSchema(z, options),
    redact: (value) => (value === '' ? '' : REDACTED),
  });
}

interface StringListOptions extends FieldOptions<readonly string[]> {
  /** Items such as tokens, which no output shows. */
  secretItems?: boolean;
}

/** A list of strings; a single string is split at its commas. */
export function stringList<const O extends StringListOptions>(key: string, options: O) {
  const items = (value: string) => (value === '' ? [] : value.split(','));
  // Not a union: its one error would hide which item of a list is wrong.
  const schema = (z: Zod) =>
    z.pipe(
      z.transform((value: unknown) => (typeof value === 'string' ? items(value) : value)),
      z.array(z.string(expected('a string')), expected('a list of strings')),
    );
  const isSecret = options.secretItems === true;
  const redactAll = (value: unknown) => (Array.isArray(value) ? value.map(() => REDACTED) : REDACTED);
  const json = { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'string' }] };
  const traits = { type: 'list of strings', reading: 'members' as const, json, isSecret, schema };
  return leaf<string[], O>(key, options, isSecret ? { ...traits, redact: redactAll } : traits);
}

interface OneOfOptions<V extends string> extends FieldOptions<V> {
  values: readonly V[];
  /** Take `INFO` for `info`: the value becomes the listed spelling. */
  ignoreCase?: boolean;
}

/** One of a list of texts; T is their union. */
export function oneOf<const V extends string, const O extends OneOfOptions<V>>(
  key: string,
  options: O & { values: readonly V[] },
) {
  const { values, ignoreCase = false } = options;
  const listed = `one of ${values.join(', ')}`;
  const find = (text: string) => {
    const wanted = ignoreCase ? text.toLowerCase() : text;
    const found = values.find((value) => (ignoreCase ? value.toLowerCase() : value) === wanted);
    return found ?? { error: `expected ${listed}` };
  };
  const schema = (z: Zod) => converted<string, V>(z, z.string(expected(listed)), find);
  const spellings = ignoreCase ? values.flatMap(casesOf) : values;
  const type = values.map((value) => value || '""').join(' | ');
  const traits = { type, reading: 'text' as const, json: { enum: spellings } };
  return leaf<V, O>(key, options, { ...traits, schema });
}

/** The spellings that people use, for editors; the engine takes all. */
function casesOf(text: string): string[] {
  return [text, text.toUpperCase(), text.charAt(0).toUpperCase() + text.slice(1)];
}

interface EndpointOptions extends FieldOptions<string> {
  /** What the address may look like: `localhost:4317`, or a URL with one of `schemes`. */
  accepts: 'host:port' | 'url' | 'host:port or url';
  schemes?: readonly string[];
}

/** A network address, kept as written; printed without user names, passwords and query strings. */
export function endpoint<const O extends EndpointOptions>(key: string, options: O) {
  const { accepts, schemes = ['http', 'https'] } = options;
  const urlText = `a URL with scheme ${schemes.join(', ')}`;
  const wanted =
    accepts === 'url' ? urlText : accepts === 'host:port' ? 'host:port' : `host:port or ${urlText}`;
  const isAddress = (text: string) =>
    (accepts !== 'url' && parseHostPort(text) !== undefined) ||
    (accepts !== 'host:port' && isUrl(text, schemes));
  const schema = (z: Zod) => z.string(expected(wanted)).check(z.refine(isAddress, expected(wanted)));
  // A bad URL may hold a password where no parser finds it, so messages leave it out.
  const isSecret = accepts !== 'host:port';
  const redact = (value: unknown) => (typeof value === 'string' ? redactEndpoint(value) : value);
  const traits = { type: accepts, reading: 'text' as const, json: { type: 'string' } };
  return leaf<string, O>(key, options, { ...traits, isSecret, schema, redact });
}

function isUrl(text: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.host !== '' && schemes.includes(url.protocol.slice(0, -1));
}

/** Bytes: an integer, or a text with a unit such as `256MiB`. */
export function byteCount<const O extends BoundedOptions<number | string>>(key: string, options: O) {
  const wanted = 'a number of bytes such as 1048576 or 256MiB';
  const read = (value: string | number) =>
    typeof value === 'number' ? value : (parseByteSize(value) ?? expected(wanted));
  const schema = (z: Zod) => {
    const input = z.union([z.int(), z.string()], expected(wanted));
    return bounded(z, converted(z, input, read), { min: 0, ...options });
  };
  return leaf(key, options, { type: 'bytes', json: { type: ['integer', 'string'] }, schema });
}

interface StringMapOptions extends FieldOptions<Readonly<Record<string, string>>> {
  /** Values such as those of headers, which are often credentials. */
  secretValues?: boolean;
}

/** Free keys with string values, or a list of names and values; plain data, own properties only. */
export function stringMap<const O extends StringMapOptions>(key: string, options: O) {
  const isSecret = options.secretValues === true;
  const schema = (z: Zod) => {
    // Entries instead of z.record: a key `__proto__` must stay an ordinary key.
    const map = z.custom<object>(
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
      { error: 'expected a map of strings' },
    );
    return z.pipe(
      z.pipe(z.transform(mapOfNamedValues), map),
      z.transform((map: object, context): Record<string, string> => {
        for (const [name, value] of Object.entries(map)) {
          if (typeof value === 'string') continue;
          context.issues.push({
            code: 'custom',
            message: 'expected a string',
            path: [name],
            input: undefined,
          });
        }
        return Object.fromEntries(Object.entries(map));
      }),
    );
  };
  const redactAll = (value: unknown) =>
    Object.fromEntries(Object.keys(mapOfNamedValues(value) as object).map((name) => [name, REDACTED]));
  const json = { type: ['object', 'array'], additionalProperties: { type: 'string' } };
  const traits = { type: 'map of strings', reading: 'members' as const, json, isSecret, schema };
  return leaf<Record<string, string>, O>(key, options, isSecret ? { ...traits, redact: redactAll } : traits);
}

/** Any value, unread: for keys that are accepted without effect, and for those that a check of the table reads. */
export function anything(key: string, options: { doc: string; isSecret?: true }): LeafField<unknown> {
  const traits = { type: 'any', json: {}, schema: (z: Zod) => z.unknown() };
  if (options.isSecret !== true) return leaf(key, options, traits);
  return leaf(key, options, { ...traits, isSecret: true, redact: () => REDACTED });
}

/** A value of any type with the kinds of its numbers: integers are bigints, what was written as a double is a number. */
export function literal(key: string, options: { doc: string }): LeafField<unknown> {
  const schema = (z: Zod) => z.pipe(z.unknown(), z.transform(withNumberKinds));
  return leaf(key, options, { type: 'any', reading: 'literal', json: {}, schema });
}

interface SectionOptions {
  doc: string;
  optional?: boolean;
}

/** A nested map. `optional`: undefined when the key is absent or `enabled: false`; null means its defaults. */
export function section<T, const O extends SectionOptions>(
  key: string,
  shape: Shape<T>,
  options: O,
): SectionField<O extends { optional: true } ? T | undefined : T> {
  return { form: 'section', key, doc: options.doc, optional: options.optional === true, shape };
}

/** A list of maps; undefined when the key is absent. */
export function sections<T>(
  key: string,
  itemShape: Shape<T>,
  options: { doc: string },
): SectionsField<T[] | undefined> {
  return { form: 'sections', key, doc: options.doc, itemShape };
}

/** Keys of a shared table at the level of its user; the property holds the shared part. */
export function squash<T>(shape: Shape<T>): SquashField<T> {
  return { form: 'squash', shape };
}

/** A key that is checked like any other and then has no effect; using it warns with the note. */
export function ignored(field: LeafField<unknown> | SectionField<unknown>, note: string): OtherKey {
  return { form: 'ignored', field, note };
}

/** A key that the Collector has and this engine refuses; `message` follows the quoted key. */
export function refused(key: string, message = 'is not supported yet'): OtherKey {
  return { form: 'refused', key, message };
}
