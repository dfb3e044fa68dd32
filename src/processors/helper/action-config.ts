/** The list of actions that `attributes` and `resource` share: what to do with which attribute. */
import { type ClientKeys, clientKeys, parseContextSource } from '../../component/client-context.ts';
import { literal, oneOf, string } from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape } from '../../config/schema.ts';
import { Double, type PlainValue } from '../../otlp/any-value-write.ts';
import { groupNames, regexIssue } from '../../ottl/regex.ts';

const ACTIONS = ['insert', 'update', 'upsert', 'delete', 'hash', 'extract', 'convert'] as const;

export interface ActionConfig {
  action: (typeof ACTIONS)[number];
  key: string | undefined;
  value: unknown;
  fromAttribute: string | undefined;
  fromContext: string | undefined;
  pattern: string | undefined;
  convertedType: 'int' | 'double' | 'string' | undefined;
  defaultValue: unknown;
}

export const actionShape = defineShape<ActionConfig>(
  {
    action: oneOf('action', { values: ACTIONS, required: true, ignoreCase: true, doc: 'What to do.' }),
    key: string('key', { doc: 'Name of the attribute; `delete` and `hash` may have `pattern` instead.' }),
    value: literal('value', {
      doc: 'For `insert`, `update` and `upsert`: text, number, bool, list or map.',
    }),
    fromAttribute: string('from_attribute', {
      doc: 'For the same: the attribute to copy; without it nothing happens.',
    }),
    fromContext: string('from_context', {
      doc: 'For the same: what is known of the client, as `metadata.NAME` (a header, needs `include_metadata` of the receiver; NAME alone means the same), `auth.NAME` or `client.address`; several values are joined with `;`.',
    }),
    pattern: string('pattern', {
      doc: 'RE2 expression: for `delete` and `hash` over names of attributes, for `extract` over the value of `key`; each named group becomes an attribute.',
    }),
    convertedType: oneOf('converted_type', {
      values: ['int', 'double', 'string'],
      doc: 'For `convert`: the type that the value gets; a value that cannot have it stays as it is.',
    }),
    defaultValue: literal('default_value', {
      doc: 'Used when what `from_attribute` or `from_context` names is missing.',
    }),
  },
  checkAction,
);

/** Keys that may only stand beside certain actions. */
const USES = [
  ['value', ['insert', 'update', 'upsert']],
  ['from_attribute', ['insert', 'update', 'upsert']],
  ['from_context', ['insert', 'update', 'upsert']],
  ['default_value', ['insert', 'update', 'upsert']],
  ['pattern', ['delete', 'hash', 'extract']],
  ['converted_type', ['convert']],
] as const;

function checkAction(config: ActionConfig): CheckIssue[] {
  const { action } = config;
  const given: Record<string, unknown> = {
    value: config.value,
    from_attribute: config.fromAttribute,
    from_context: config.fromContext,
    default_value: config.defaultValue,
    pattern: config.pattern,
    converted_type: config.convertedType,
  };
  const issues: CheckIssue[] = [];
  for (const [key, actions] of USES) {
    if (given[key] === undefined || (actions as readonly string[]).includes(action)) continue;
    issues.push({ key, message: `must not be given for action "${action}"` });
  }
  if (config.key === '') issues.push({ key: 'key', message: 'must not be empty' });
  if (config.pattern !== undefined) issues.push(...checkPattern(config.pattern, action));
  issues.push(...checkNeeds(config));
  for (const key of ['value', 'default_value']) {
    const issue = valueIssue(given[key]);
    if (issue !== undefined) issues.push({ key, message: issue });
  }
  return issues;
}

function checkNeeds(config: ActionConfig): CheckIssue[] {
  const { action, key, pattern } = config;
  if (action === 'delete' || action === 'hash') {
    if (key !== undefined || pattern !== undefined) return [];
    return [{ key: '', message: `action "${action}" needs "key", "pattern" or both` }];
  }
  const issues: CheckIssue[] = [];
  if (key === undefined) issues.push({ key: 'key', message: 'is required' });
  if (action === 'extract' && pattern === undefined) issues.push({ key: 'pattern', message: 'is required' });
  if (action === 'convert' && config.convertedType === undefined) {
    issues.push({ key: 'converted_type', message: 'is required' });
  }
  if (action === 'extract' || action === 'convert') return issues;
  const hasValue = config.value !== undefined;
  const sources = [config.value, config.fromAttribute, config.fromContext];
  if (sources.filter((source) => source !== undefined).length !== 1) {
    const message = `action "${action}" needs exactly one of "value", "from_attribute" and "from_context"`;
    issues.push({ key: '', message });
  }
  if (hasValue && config.defaultValue !== undefined) {
    issues.push({ key: 'default_value', message: 'must not be given together with "value"' });
  }
  return issues;
}

function checkPattern(pattern: string, action: string): CheckIssue[] {
  const message = regexIssue(pattern);
  if (message !== undefined) return [{ key: 'pattern', message }];
  if (action !== 'extract') return [];
  const names = groupNames(pattern);
  if (names.length > 0 && names.every((name) => name !== undefined)) return [];
  const wanted = 'must have at least one group, and a name for each: (?P<name>...)';
  return [{ key: 'pattern', message: wanted }];
}

function valueIssue(value: unknown): string | undefined {
  if (value === null || ['undefined', 'string', 'boolean', 'bigint'].includes(typeof value)) return undefined;
  if (typeof value === 'number') return Number.isNaN(value) ? 'must be a number' : undefined;
  if (typeof value !== 'object') return 'must be text, a number, a bool, a list or a map';
  return Object.values(value)
    .map(valueIssue)
    .find((issue) => issue !== undefined);
}

/** What the actions read of the clients of requests. */
export function clientKeysOf(actions: readonly ActionConfig[] | undefined): ClientKeys {
  return clientKeys(
    (actions ?? []).flatMap(({ fromContext }) =>
      fromContext === undefined ? [] : [parseContextSource(fromContext)],
    ),
  );
}

/** A literal of the configuration, which passed the checks above: its integers are bigints. */
export function literalOf(value: unknown): PlainValue {
  if (typeof value === 'number') return new Double(value);
  if (Array.isArray(value)) return value.map(literalOf);
  if (typeof value !== 'object' || value === null) return value as PlainValue;
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, literalOf(below)]));
}
