/** One condition of a rule as a condition in OTTL, or as a policy where it is about the whole trace. */
import { type FieldPlace, KINDS, placeOf } from './fields.ts';
import type { ConditionRule, Datatype, Operator } from './rules-schema.ts';

/** A policy as it stands in YAML. */
export type PolicyYaml = { type: string } & Record<string, unknown>;

export type Translation =
  /** True for a span; `isOfRoot`: only its root is asked. */
  | { kind: 'span'; text: string; isOfRoot: boolean; plain?: PolicyYaml }
  | { kind: 'trace'; policy: PolicyYaml }
  | { kind: 'none'; reason: string };

const ROOT = 'root.';
const DESCENDANTS = '?.NUM_DESCENDANTS';
const COMPARISONS: Readonly<Record<string, string>> = {
  ...{ '=': '==', '!=': '!=', '>': '>', '>=': '>=', '<': '<', '<=': '<=' },
};
const NANOS_PER_MS = 1e6;
const TRUE_TEXTS = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE_TEXTS = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

class Untranslatable extends Error {}

function fail(reason: string): never {
  throw new Untranslatable(reason);
}

export function translateCondition(condition: ConditionRule): Translation {
  try {
    if (condition.operator === 'has-root-span') {
      const policy = ottlPolicy('IsRootSpan()');
      return { kind: 'trace', policy: condition.value === false ? notPolicy(policy) : policy };
    }
    const fields = condition.field === '' ? condition.fields : [condition.field];
    if (fields.includes(DESCENDANTS)) return { kind: 'trace', policy: spanCount(condition, fields) };
    return translateFields(condition, fields);
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    return { kind: 'none', reason: error.message };
  }
}

function translateFields(condition: ConditionRule, fields: readonly string[]): Translation {
  const rootCount = fields.filter((field) => field.startsWith(ROOT)).length;
  if (rootCount > 0 && rootCount < fields.length)
    fail('fields of the root and of spans cannot stand side by side');
  const isOfRoot = rootCount > 0;
  const names = isOfRoot ? fields.map((field) => field.slice(ROOT.length)) : fields;
  if (isOfRoot && condition.operator === 'not-exists') {
    // Without a root nothing of it exists.
    const existing = ofRoot({ ...condition, operator: 'exists' }, names);
    return { kind: 'trace', policy: notPolicy(ottlPolicy(existing)) };
  }
  if (isOfRoot) return { kind: 'span', text: ofRoot(condition, names), isOfRoot };
  const text = ofNames(condition, names);
  const plain = names.length > 1 ? undefined : plainPolicy(condition, names[0]!);
  return { kind: 'span', text, isOfRoot, ...(plain === undefined ? {} : { plain }) };
}

function ofRoot(condition: ConditionRule, names: readonly string[]): string {
  return `IsRootSpan() and ${bracketed(ofNames(condition, names))}`;
}

function ofNames(condition: ConditionRule, names: readonly string[]): string {
  return names.length === 1 ? ofField(condition, names[0]!) : ofFields(condition, names);
}

/** Policies that say the same and cost less than a condition in OTTL. */
function plainPolicy({ operator, value, datatype }: ConditionRule, field: string): PolicyYaml | undefined {
  const isStatus = field === 'status_code' && operator === '=';
  if (isStatus && [0, 1, 2].includes(value as number)) {
    const code = ['UNSET', 'OK', 'ERROR'][value as number];
    return { type: 'status_code', status_code: { status_codes: [code] } };
  }
  if (datatype !== '' || placeOf(field).kind !== 'values') return undefined;
  const values = operator === '=' ? [value] : operator === 'in' && Array.isArray(value) ? value : [];
  const isText = values.length > 0 && values.every((each) => typeof each === 'string' && each !== '');
  return isText ? { type: 'string_attribute', string_attribute: { key: field, values } } : undefined;
}

function ofField(condition: ConditionRule, field: string): string {
  const { operator } = condition;
  const place = placeOf(field);
  switch (place.kind) {
    case 'unknown':
      return fail(`the field "${field}" is made by Honeycomb on the way, spans do not have it`);
    case 'values':
      return overSources(condition, place.sources);
    case 'own':
      return ofOwn(condition, place);
    case 'parent':
      if (operator === 'exists') return 'not IsRootSpan()';
      return operator === 'not-exists'
        ? 'IsRootSpan()'
        : fail('the id of a parent can only exist or not exist');
    case 'error':
      return ofError(condition);
    case 'kind':
      return ofKind(condition);
    case 'duration':
      return ofDuration(condition);
  }
}

/** Of several fields the first that exists counts, and an attribute of the span before that of its resource. */
function ofFields(condition: ConditionRule, names: readonly string[]): string {
  const sources = names.flatMap((name) => {
    const place = placeOf(name);
    return place.kind === 'values' ? place.sources : fail(`the field "${name}" cannot stand among several`);
  });
  return overSources(condition, sources);
}

function overSources(condition: ConditionRule, sources: readonly string[]): string {
  const { operator } = condition;
  if (operator === 'exists') return sources.map((source) => `${source} != nil`).join(' or ');
  if (operator === 'not-exists') return sources.map((source) => `${source} == nil`).join(' and ');
  return sources
    .map((source, index) => {
      const test = compared(source, condition);
      if (index === 0) return bracketed(test);
      const absent = sources.slice(0, index).map((earlier) => `${earlier} == nil`);
      return bracketed([...absent, bracketed(test)].join(' and '));
    })
    .join(' or ');
}

function ofOwn(condition: ConditionRule, { source }: FieldPlace & { kind: 'own' }): string {
  const isText = source !== 'span.status.code';
  if (condition.operator === 'exists') return isText ? `${source} != ""` : 'true';
  if (condition.operator === 'not-exists') return isText ? `${source} == ""` : 'false';
  return compared(source, condition);
}

function ofError({ operator, value }: ConditionRule): string {
  const sources = ['span.attributes["error"]', 'resource.attributes["error"]'];
  const failed = 'span.status.code == STATUS_CODE_ERROR';
  if (operator === 'exists') return [failed, ...sources.map((each) => `${each} != nil`)].join(' or ');
  if (operator === 'not-exists') {
    return ['span.status.code != STATUS_CODE_ERROR', ...sources.map((each) => `${each} == nil`)].join(
      ' and ',
    );
  }
  if ((operator === '=' && value === true) || (operator === '!=' && value === false)) {
    return [failed, ...sources.map((each) => `${each} == true`)].join(' or ');
  }
  return fail('the field "error" can be compared with "= true", "exists" and "not-exists" only');
}

function ofKind({ operator, value }: ConditionRule): string {
  const values = Array.isArray(value) ? value : [value];
  const isNegative = operator === '!=' || operator === 'not-in';
  if (!isNegative && operator !== '=' && operator !== 'in') fail('a kind of spans can only be equal or not');
  const tests = values.map((each) => {
    if (!KINDS.includes(String(each))) fail(`${JSON.stringify(each)} is no kind of spans`);
    return `span.kind == SPAN_KIND_${String(each).toUpperCase()}`;
  });
  return isNegative ? `not (${tests.join(' or ')})` : tests.join(' or ');
}

function ofDuration({ operator, value, datatype }: ConditionRule): string {
  const comparison = COMPARISONS[operator];
  const ms = typeof value === 'string' && datatype !== '' ? Number(value) : value;
  if (comparison === undefined || typeof ms !== 'number' || Number.isNaN(ms)) {
    return fail('a duration can only be compared with a number');
  }
  return `(span.end_time_unix_nano - span.start_time_unix_nano) ${comparison} ${numberText(ms * NANOS_PER_MS)}`;
}

/** The test of one value that is not nil, or that fails when it is nil. */
function compared(source: string, { operator, value, datatype }: ConditionRule): string {
  switch (operator) {
    case 'starts-with':
      return `IsMatch(${source}, ${JSON.stringify(`^${escapeRegex(textOf(value))}`)})`;
    case 'contains':
      return `IsMatch(${source}, ${JSON.stringify(escapeRegex(textOf(value)))})`;
    case 'does-not-contain':
      return `${source} != nil and not IsMatch(${source}, ${JSON.stringify(escapeRegex(textOf(value)))})`;
    case 'matches':
      return `IsMatch(${source}, ${JSON.stringify(textOf(value))})`;
    case 'in':
    case 'not-in': {
      if (!Array.isArray(value) || value.length === 0) fail(`"${operator}" needs a list of values`);
      const tests = (value as unknown[]).map((each) => equality(source, '=', each, datatype));
      if (operator === 'in') return tests.join(' or ');
      return `${source} != nil and not (${tests.join(' or ')})`;
    }
    default:
      return equality(source, operator, value, datatype);
  }
}

function equality(source: string, operator: Operator, value: unknown, datatype: Datatype): string {
  const comparison = COMPARISONS[operator]!;
  switch (datatype) {
    case 'string':
      return guarded(`String(${source})`, comparison, JSON.stringify(textOf(value)), `${source} != nil`);
    case 'int':
      return guarded(`Int(${source})`, comparison, numberText(intOf(value)), `Int(${source}) != nil`);
    case 'float':
      return guarded(
        `Double(${source})`,
        comparison,
        numberText(numberOf(value)),
        `Double(${source}) != nil`,
      );
    case 'bool':
      return truth(source, comparison, value);
    case '':
      break;
  }
  if (typeof value === 'string')
    return guarded(source, comparison, JSON.stringify(value), `IsString(${source})`);
  if (typeof value === 'number') {
    return guarded(source, comparison, numberText(value), `(IsInt(${source}) or IsDouble(${source}))`);
  }
  if (typeof value === 'boolean' && (comparison === '==' || comparison === '!=')) {
    return guarded(source, comparison, String(value), `IsBool(${source})`);
  }
  return fail(`a field cannot be compared by "${operator}" with ${JSON.stringify(value) ?? 'no value'}`);
}

/** Values of another type are not unequal, they do not match at all. */
function guarded(left: string, comparison: string, right: string, guard: string): string {
  const test = `${left} ${comparison} ${right}`;
  return comparison === '!=' ? `${guard} and ${test}` : test;
}

function truth(source: string, comparison: string, value: unknown): string {
  const wanted = TRUE_TEXTS.includes(String(value))
    ? true
    : FALSE_TEXTS.includes(String(value))
      ? false
      : undefined;
  if (wanted === undefined || (comparison !== '==' && comparison !== '!=')) {
    return fail('with Datatype bool the value has to be true or false, and equal or not');
  }
  const isTrue = comparison === '==' ? wanted : !wanted;
  const texts = (isTrue ? TRUE_TEXTS : FALSE_TEXTS).map((text) => `${source} == ${JSON.stringify(text)}`);
  return [`${source} == ${isTrue}`, `${source} == ${isTrue ? 1 : 0}`, ...texts].join(' or ');
}

function spanCount({ operator, value, datatype }: ConditionRule, fields: readonly string[]): PolicyYaml {
  const count = typeof value === 'string' && datatype !== '' ? Number(value) : value;
  if (fields.length > 1) fail(`"${DESCENDANTS}" cannot stand among several fields`);
  if (typeof count !== 'number' || !Number.isFinite(count))
    return fail('a number of spans has to be a number');
  const between = (min: number, max: number): PolicyYaml => {
    if (max < Math.max(min, 1)) return notPolicy({ type: 'always_sample' });
    const bounds = { min_spans: Math.max(0, min), ...(Number.isFinite(max) ? { max_spans: max } : {}) };
    return { type: 'span_count', span_count: bounds };
  };
  const isWhole = Number.isInteger(count);
  switch (operator) {
    case '>':
      return between(Math.floor(count) + 1, Number.POSITIVE_INFINITY);
    case '>=':
      return between(Math.ceil(count), Number.POSITIVE_INFINITY);
    case '<':
      return between(0, Math.ceil(count) - 1);
    case '<=':
      return between(0, Math.floor(count));
    case '=':
      return isWhole ? between(count, count) : notPolicy({ type: 'always_sample' });
    case '!=':
      return isWhole ? notPolicy(between(count, count)) : { type: 'always_sample' };
    default:
      return fail(`a number of spans cannot be compared by "${operator}"`);
  }
}

export function ottlPolicy(text: string): PolicyYaml {
  return { type: 'ottl_condition', ottl_condition: { error_mode: 'ignore', span: [text] } };
}

export function notPolicy(policy: PolicyYaml): PolicyYaml {
  // Twice not is nothing.
  if (policy.type === 'not') return (policy.not as { not_sub_policy: PolicyYaml }).not_sub_policy;
  return { type: 'not', not: { not_sub_policy: policy } };
}

/** In brackets, unless it is a single test. */
export function bracketed(text: string): string {
  return / (?:and|or) /.test(text) ? `(${text})` : text;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return fail('the value has to be a text');
}

function numberOf(value: unknown): number {
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && value !== ''
        ? Number(value)
        : Number.NaN;
  return Number.isFinite(number) ? number : fail(`${JSON.stringify(value) ?? 'no value'} is no number`);
}

function intOf(value: unknown): number {
  const number = numberOf(value);
  if (typeof value === 'string' && !Number.isInteger(number)) fail(`${JSON.stringify(value)} is no integer`);
  return Math.trunc(number);
}

/** Digits without an exponent, which conditions do not have. */
function numberText(number: number): string {
  const text = String(number);
  return /e/i.test(text) ? fail(`${text} is too large or too small for a condition`) : text;
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
