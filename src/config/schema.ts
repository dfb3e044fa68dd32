/**
 * Configuration tables: one entry per key gives its YAML name, the property it becomes, parsing, default and
 * documentation. The kinds of entries are in field-kinds.ts; this file reads YAML values with a table.
 */
import type { ZodMiniType } from 'zod/mini';
import type { ConfigIssue, ConfigSchema, FieldDoc, ParsedConfig } from '../component/config-schema.ts';
import { assert } from '../stdx/assert.ts';
import { didYouMean } from '../stdx/nearest.ts';
import { describeValue, type Reading, readAs, yamlValue } from './expanded-text.ts';

/** JSON Schema, draft 7. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One key with one value. */
export interface LeafField<T> {
  readonly form: 'leaf';
  readonly key: string;
  /** Spelling of earlier Collector releases; still read, with a warning. */
  readonly oldKey: string | undefined;
  readonly type: string;
  readonly doc: string;
  readonly defaultText: string | undefined;
  /** As the user would write it; undefined when the key has no default. */
  readonly defaultYaml: unknown;
  readonly defaultValue: T | undefined;
  readonly required: boolean;
  /** Which reading of a `${...}` the key wants. */
  readonly reading: Reading;
  /** Messages about it must not show its value. */
  readonly isSecret: boolean;
  /** Turns the YAML value into the property; its messages do not quote the value. */
  readonly schema: ZodMiniType<T>;
  /** JSON Schema of what may be written, references and null aside. */
  readonly json: JsonSchema;
  /** What a printed configuration shows instead of the value. */
  redact(value: unknown): unknown;
}

/** A nested map. */
export interface SectionField<T> {
  readonly form: 'section';
  readonly key: string;
  readonly doc: string;
  /** Off when the key is absent, on with defaults when its value is null. */
  readonly optional: boolean;
  readonly shape: Shape<T>;
}

/** A list of maps of one shape. */
export interface SectionsField<T> {
  readonly form: 'sections';
  readonly key: string;
  readonly doc: string;
  readonly itemShape: Shape<unknown>;
  /** Stands for the property type; never read. */
  readonly valueType?: T;
}

/** A shared table whose keys live at the level of its user. */
export interface SquashField<T> {
  readonly form: 'squash';
  readonly shape: Shape<T>;
}

export type Field<T> = LeafField<T> | SectionField<T> | SectionsField<T> | SquashField<T>;

/** A key of the Collector that becomes no property: checked and without effect, or refused by name. */
export type OtherKey =
  | {
      readonly form: 'ignored';
      readonly field: Field<unknown> & { readonly key: string };
      readonly note: string;
    }
  | { readonly form: 'refused'; readonly key: string; readonly message: string };

export type Table<T> = { readonly [K in keyof T]-?: Field<T[K]> };

export interface CheckIssue {
  /** YAML key below the checked level, dots between levels; empty for the level itself. */
  readonly key: string;
  readonly message: string;
  /** Worth a line at start, but nothing to stop for. */
  readonly isWarning?: boolean;
}

/** A table with the rules between its keys. */
export interface Shape<T> {
  readonly table: Readonly<Record<string, Field<unknown>>>;
  readonly others: readonly OtherKey[];
  /** All keys that are valid at this level, squashed ones included. */
  readonly keys: ReadonlySet<string>;
  /** Runs when every value of the level could be read: what is wrong between them, and the level's value. */
  complete(members: unknown): { issues: readonly CheckIssue[]; value: T };
}

export interface TableSchema<T> extends ConfigSchema<T> {
  /** For documentation and JSON Schema. */
  readonly shape: Shape<T>;
  /** Copy of a parsed value that may be printed: secrets read `[REDACTED]`. */
  redact(value: T): unknown;
}

type Path = readonly (string | number)[];

/** Where readers put what they find. */
interface Findings {
  readonly issues: ConfigIssue[];
  readonly warnings: ConfigIssue[];
}

/**
 * Makes a component's schema of its table.
 *
 * @param table property name to field, in the order of the documentation.
 * @param check rules between keys, e.g. one bound below another.
 * @param others keys that a Collector configuration may hold and that become no property.
 */
export function defineConfig<T>(
  table: Table<T>,
  check?: (value: T) => readonly CheckIssue[],
  others?: readonly OtherKey[],
): TableSchema<T> {
  const shape = defineShape(table, check, others);
  return {
    shape,
    fields: fieldDocs(shape, ''),
    redact: (value) => redactShape(shape, value),
    parse: (raw) => {
      const findings: Findings = { issues: [], warnings: [] };
      const value = readMap(shape, raw, [], findings);
      const { issues, warnings } = findings;
      // The table's type ties every property to its field, so a value without issues is a T.
      const parsed: ParsedConfig<T> =
        issues.length === 0
          ? { value: value as T, issues: [], warnings }
          : { value: undefined, issues, warnings };
      return parsed;
    },
  };
}

/** A table that is no component's whole configuration: for sections and squash. */
export function defineShape<T>(
  table: Table<T>,
  check: (value: T) => readonly CheckIssue[] = () => [],
  others: readonly OtherKey[] = [],
): Shape<T> {
  const keys = new Set<string>();
  const plainTable: Readonly<Record<string, Field<unknown>>> = table;
  for (const field of Object.values(plainTable)) {
    for (const key of keysOf(field)) {
      assert(!keys.has(key), `configuration key "${key}" is defined twice`);
      keys.add(key);
    }
  }
  for (const other of others) keys.add(other.form === 'refused' ? other.key : other.field.key);
  // The table's type ties every property to its field, so members that were all read are a T.
  const complete = (members: unknown) => ({ issues: check(members as T), value: members as T });
  return { table: plainTable, others, keys, complete };
}

/**
 * The same keys with another value: for what one key takes over from another.
 * @param finish gets a value that passed the checks; secrets must keep their property names.
 */
export function mapShape<T, U>(shape: Shape<T>, finish: (value: T) => U): Shape<U> {
  return {
    ...shape,
    complete: (members) => {
      const { issues, value } = shape.complete(members);
      const isFinal = issues.every((issue) => issue.isWarning === true);
      // Without a valid value there is nothing to finish, and nobody reads the value then.
      return { issues, value: isFinal ? finish(value) : (value as unknown as U) };
    },
  };
}

/** The table of a component that was made by `defineConfig`. */
export function shapeOf(schema: ConfigSchema<unknown>): Shape<unknown> {
  assert('shape' in schema, 'a configuration schema without a table');
  return (schema as TableSchema<unknown>).shape;
}

/** What a level is when nothing of it is written. Throws when a key is required. */
export function readDefaults<T>(shape: Shape<T>): T {
  const findings: Findings = { issues: [], warnings: [] };
  const value = readMap(shape, {}, [], findings);
  assert(findings.issues.length === 0, 'a level without defaults for all its keys');
  return value as T;
}

function keysOf(field: Field<unknown>): Iterable<string> {
  if (field.form === 'squash') return field.shape.keys;
  if (field.form === 'leaf' && field.oldKey !== undefined) return [field.key, field.oldKey];
  return [field.key];
}

function readMap(shape: Shape<unknown>, raw: unknown, path: Path, findings: Findings): unknown {
  const value = yamlValue(raw) ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    findings.issues.push({ path, message: `expected a map of keys, got ${describeValue(raw)}` });
    return undefined;
  }
  const map = value as Record<string, unknown>;
  for (const key of Object.keys(map)) {
    if (shape.keys.has(key)) continue;
    findings.issues.push({ path, key, message: `unknown key "${key}"${didYouMean(key, shape.keys)}` });
  }
  return readMembers(shape, map, path, findings);
}

function readMembers(
  shape: Shape<unknown>,
  map: Record<string, unknown>,
  path: Path,
  findings: Findings,
): unknown {
  const issuesBefore = findings.issues.length;
  const members = Object.entries(shape.table).map(([property, field]): [string, unknown] => [
    property,
    readField(field, map, path, findings),
  ]);
  for (const other of shape.others) readOther(other, map, path, findings);
  if (findings.issues.length > issuesBefore) return undefined;
  // fromEntries defines own properties, so no key can reach a prototype.
  const { issues, value } = shape.complete(Object.fromEntries(members));
  for (const { key, message, isWarning } of issues) {
    const list = isWarning === true ? findings.warnings : findings.issues;
    list.push({ path: key === '' ? path : [...path, ...key.split('.')], message });
  }
  return value;
}

function readField(
  field: Field<unknown>,
  map: Record<string, unknown>,
  path: Path,
  findings: Findings,
): unknown {
  switch (field.form) {
    case 'squash':
      return readMembers(field.shape, map, path, findings);
    case 'section':
      return readSection(field, map, [...path, field.key], findings);
    case 'sections':
      return readSections(field, ownValue(map, field.key), [...path, field.key], findings);
    case 'leaf':
      return readLeaf(field, map, path, findings);
  }
}

function readSection(
  field: SectionField<unknown>,
  map: Record<string, unknown>,
  path: Path,
  findings: Findings,
): unknown {
  const raw = ownValue(map, field.key);
  if (!field.optional) return readMap(field.shape, raw, path, findings);
  if (raw === undefined) return undefined;
  const value = yamlValue(raw);
  const switchable = typeof value === 'object' && value !== null && Object.hasOwn(value, 'enabled');
  if (!switchable || field.shape.keys.has('enabled')) return readMap(field.shape, raw, path, findings);
  const { enabled, ...rest } = value as Record<string, unknown>;
  const isEnabled = yamlValue(enabled);
  if (isEnabled === false) return undefined;
  if (isEnabled !== true) {
    const message = `expected true or false, got ${describeValue(enabled)}`;
    findings.issues.push({ path: [...path, 'enabled'], message });
  }
  return readMap(field.shape, rest, path, findings);
}

function readSections(
  field: SectionsField<unknown>,
  raw: unknown,
  path: Path,
  findings: Findings,
): unknown[] | undefined {
  const value = yamlValue(raw);
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) {
    findings.issues.push({ path, message: `expected a list, got ${describeValue(raw)}` });
    return undefined;
  }
  return value.map((item, index) => readMap(field.itemShape, item, [...path, index], findings));
}

function readLeaf(
  field: LeafField<unknown>,
  map: Record<string, unknown>,
  path: Path,
  findings: Findings,
): unknown {
  const key = chooseSpelling(field, map, path, findings);
  const raw = ownValue(map, key);
  const value = readAs(raw, field.reading);
  if (value === undefined || value === null) {
    if (field.required) findings.issues.push({ path: [...path, key], message: 'is required' });
    return field.defaultValue;
  }
  const result = field.schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const below = issue.path.filter((segment) => typeof segment !== 'symbol');
    const isWhole = below.length === 0 && !field.isSecret;
    const message = isWhole ? `${issue.message}, got ${describeValue(raw)}` : issue.message;
    findings.issues.push({ path: [...path, key, ...below], message });
  }
  return undefined;
}

function chooseSpelling(
  field: LeafField<unknown>,
  map: Record<string, unknown>,
  path: Path,
  findings: Findings,
): string {
  const { key, oldKey } = field;
  if (oldKey === undefined || !Object.hasOwn(map, oldKey)) return key;
  if (Object.hasOwn(map, key)) {
    findings.issues.push({ path, key: oldKey, message: `"${oldKey}" is the old name of "${key}": keep one` });
    return key;
  }
  findings.warnings.push({ path, key: oldKey, message: `"${oldKey}" is deprecated; use "${key}" instead` });
  return oldKey;
}

function readOther(other: OtherKey, map: Record<string, unknown>, path: Path, findings: Findings): void {
  const key = other.form === 'refused' ? other.key : other.field.key;
  if (!Object.hasOwn(map, key)) return;
  if (other.form === 'refused') {
    findings.issues.push({ path, key, message: `"${key}" ${other.message}` });
    return;
  }
  readField(other.field, map, path, findings);
  findings.warnings.push({ path, key, message: `"${key}" has no effect: ${other.note}` });
}

function ownValue(map: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function fieldDocs(shape: Shape<unknown>, prefix: string): FieldDoc[] {
  return Object.values(shape.table).flatMap((field): FieldDoc[] => {
    if (field.form === 'squash') return fieldDocs(field.shape, prefix);
    const { doc } = field;
    const key = `${prefix}${field.key}`;
    if (field.form === 'leaf') return [{ key, type: field.type, defaultText: field.defaultText, doc }];
    const isList = field.form === 'sections';
    const type = isList ? 'list of maps' : field.optional ? 'optional map' : 'map';
    const below = isList ? fieldDocs(field.itemShape, `${key}[].`) : fieldDocs(field.shape, `${key}.`);
    return [{ key, type, defaultText: undefined, doc }, ...below];
  });
}

function redactShape(shape: Shape<unknown>, value: unknown): unknown {
  const properties = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(shape.table).map(([property, field]) => [
      property,
      redactField(field, properties[property]),
    ]),
  );
}

function redactField(field: Field<unknown>, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (field.form === 'leaf') return field.redact(value);
  if (field.form !== 'sections') return redactShape(field.shape, value);
  return Array.isArray(value) ? value.map((item) => redactShape(field.itemShape, item)) : value;
}
