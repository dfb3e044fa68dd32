/** Conditions of the transformation language in the configuration: blocks by context, and lists that tell theirs. */
import type { ConfigIssue, ParsedConfig } from '../../component/config-schema.ts';
import type { Signal } from '../../component/signal.ts';
import { oneOf, stringList } from '../../config/field-kinds.ts';
import { nested } from '../../config/nested-field.ts';
import {
  type CheckIssue,
  defineConfig,
  defineShape,
  type LeafField,
  type Shape,
} from '../../config/schema.ts';
import { compileCondition, compileParsed } from '../../ottl/condition.ts';
import { ERROR_MODES, type ErrorMode } from '../../ottl/condition-list.ts';
import { OttlSyntaxError } from '../../ottl/errors.ts';
import type { OttlContext } from '../../ottl/fields.ts';
import { inferContext } from '../../ottl/infer-context.ts';
import { parseCondition } from '../../ottl/parser.ts';
import { convertersOf } from './datapoint-converters.ts';

export interface ConditionText {
  context: OttlContext;
  text: string;
}

/** Conditions that are looked at together, from the resource down; what one of them holds for is dropped. */
export interface ConditionGroup {
  /** Undefined: that of the processor. */
  errorMode: ErrorMode | undefined;
  conditions: ConditionText[];
}

const CONTEXTS: Readonly<Record<Signal, readonly OttlContext[]>> = {
  traces: ['resource', 'scope', 'span', 'spanevent'],
  metrics: ['resource', 'scope', 'metric', 'datapoint'],
  logs: ['resource', 'scope', 'log'],
};

export const errorMode = oneOf('error_mode', {
  values: ERROR_MODES,
  default: 'ignore',
  doc: 'What a condition that fails for an item does: it is skipped and told, skipped silently, or fails the request.',
});

/** What is wrong with the conditions of one list, below `key`. */
function conditionIssues(key: string, texts: readonly string[], context: OttlContext): CheckIssue[] {
  return texts.flatMap((text, at) => {
    const converters = convertersOf(context);
    return syntaxIssues(() => compileCondition(text, { context, converters })).map((message) => ({
      key: `${key}.${at}`,
      message,
    }));
  });
}

function syntaxIssues(compile: () => unknown): string[] {
  try {
    compile();
    return [];
  } catch (error) {
    if (!(error instanceof OttlSyntaxError)) throw error;
    return error.issues.map(({ message, column }) => `${message}, column ${column} of the condition`);
  }
}

const list = (key: string, what: string) =>
  stringList(key, { doc: `Conditions of which one has to hold for ${what} to be dropped.` });

/** Lists of one signal by their context; undefined when they are not there. */
export interface TraceBlock {
  resource: string[] | undefined;
  span: string[] | undefined;
  spanevent: string[] | undefined;
}

export const traceBlockShape: Shape<TraceBlock> = defineShape<TraceBlock>(
  {
    resource: list('resource', 'a resource with all its spans'),
    span: list('span', 'a span'),
    spanevent: list('spanevent', 'an event of a span'),
  },
  ({ resource = [], span = [], spanevent = [] }) => [
    ...conditionIssues('resource', resource, 'resource'),
    ...conditionIssues('span', span, 'span'),
    ...conditionIssues('spanevent', spanevent, 'spanevent'),
  ],
);

export interface MetricBlock {
  resource: string[] | undefined;
  metric: string[] | undefined;
  datapoint: string[] | undefined;
}

export const metricBlockShape: Shape<MetricBlock> = defineShape<MetricBlock>(
  {
    resource: list('resource', 'a resource with all its metrics'),
    metric: list('metric', 'a metric'),
    datapoint: list('datapoint', 'a data point'),
  },
  ({ resource = [], metric = [], datapoint = [] }) => [
    ...conditionIssues('resource', resource, 'resource'),
    ...conditionIssues('metric', metric, 'metric'),
    ...conditionIssues('datapoint', datapoint, 'datapoint'),
  ],
);

export interface LogBlock {
  resource: string[] | undefined;
  logRecord: string[] | undefined;
}

export const logBlockShape: Shape<LogBlock> = defineShape<LogBlock>(
  {
    resource: list('resource', 'a resource with all its records'),
    logRecord: list('log_record', 'a log record'),
  },
  ({ resource = [], logRecord = [] }) => [
    ...conditionIssues('resource', resource, 'resource'),
    ...conditionIssues('log_record', logRecord, 'log'),
  ],
);

/** The lists of a block as one group, or none when it has no condition. */
export function blockGroups(lists: Partial<Record<OttlContext, string[] | undefined>>): ConditionGroup[] {
  const conditions = Object.entries(lists).flatMap(([context, texts = []]) =>
    texts.map((text) => ({ context: context as OttlContext, text })),
  );
  return conditions.length === 0 ? [] : [{ errorMode: undefined, conditions }];
}

interface GroupKeys {
  context: string | undefined;
  conditions: string[];
  errorMode: ErrorMode | undefined;
}

const groupSchema = defineConfig<GroupKeys>({
  context: oneOf('context', {
    values: ['resource', 'scope', 'span', 'spanevent', 'metric', 'datapoint', 'log'],
    ignoreCase: true,
    doc: 'What the conditions are about; without it the prefixes of their paths tell.',
  }),
  conditions: stringList('conditions', { default: [], doc: 'Conditions of which one has to hold.' }),
  errorMode: oneOf('error_mode', { values: ERROR_MODES, doc: 'In place of that of the processor.' }),
});

/** A list of conditions, or of maps with conditions. */
export function groupList(key: string, signal: Signal): LeafField<ConditionGroup[] | undefined> {
  const doc = `Conditions for ${signal} whose paths begin with their context; or maps of \`context\`, \`conditions\`, \`error_mode\`.`;
  const item = { anyOf: [{ type: 'string' }, { type: 'object' }] };
  const parse = (raw: unknown) => parseGroups(raw, signal);
  const json = { type: 'array', items: item };
  return {
    ...nested<ConditionGroup[] | undefined>(key, { doc, type: 'list', json, parse }),
    required: false,
  };
}

function parseGroups(raw: unknown, signal: Signal): ParsedConfig<ConditionGroup[] | undefined> {
  if (!Array.isArray(raw)) return refuse([{ path: [], message: 'expected a list of conditions' }]);
  const issues: ConfigIssue[] = [];
  const groups: ConditionGroup[] = [];
  if (raw.every((item) => typeof item === 'string')) {
    const conditions = inferredConditions(raw as string[], signal, [], issues);
    if (raw.length > 0) groups.push({ errorMode: undefined, conditions });
  } else if (raw.some((item) => typeof item === 'string')) {
    issues.push({ path: [], message: 'conditions and maps of conditions cannot be mixed in one list' });
  } else {
    raw.forEach((item, at) => {
      const group = parseGroup(item, signal, at, issues);
      if (group !== undefined) groups.push(group);
    });
  }
  return issues.length > 0 ? refuse(issues) : { value: groups, issues: [], warnings: [] };
}

function refuse(issues: ConfigIssue[]): ParsedConfig<ConditionGroup[] | undefined> {
  return { value: undefined, issues, warnings: [] };
}

function parseGroup(
  raw: unknown,
  signal: Signal,
  at: number,
  issues: ConfigIssue[],
): ConditionGroup | undefined {
  const parsed = groupSchema.parse(raw);
  if (parsed.value === undefined) {
    issues.push(...parsed.issues.map((issue) => ({ ...issue, path: [at, ...issue.path] })));
    return undefined;
  }
  const { conditions: texts, errorMode: mode } = parsed.value;
  const context = parsed.value.context as OttlContext | undefined;
  const path = [at, 'conditions'];
  if (context === undefined) {
    return { errorMode: mode, conditions: inferredConditions(texts, signal, path, issues) };
  }
  if (!CONTEXTS[signal].includes(context)) {
    const message = `is none of ${signal}: ${CONTEXTS[signal].join(', ')} are`;
    issues.push({ path: [at, 'context'], message: `"${context}" ${message}` });
    return undefined;
  }
  for (const { key, message } of conditionIssues('', texts, context)) {
    issues.push({ path: [...path, Number(key.slice(1))], message });
  }
  return { errorMode: mode, conditions: texts.map((text) => ({ context, text })) };
}

/** Each condition finds its context alone. */
function inferredConditions(
  texts: readonly string[],
  signal: Signal,
  path: readonly (string | number)[],
  issues: ConfigIssue[],
): ConditionText[] {
  const conditions: ConditionText[] = [];
  texts.forEach((text, at) => {
    const messages = syntaxIssues(() => {
      const node = parseCondition(text);
      const context = inferContext([node], convertersOf('metric'));
      if (context === undefined || !CONTEXTS[signal].includes(context)) {
        const contexts = CONTEXTS[signal].join(', ');
        const message = `no context of ${signal} has all that it names; its paths begin with one of ${contexts}`;
        throw new OttlSyntaxError([{ message, column: 1 }]);
      }
      compileParsed(text, node, { context, needsPrefix: true, converters: convertersOf(context) });
      conditions.push({ context, text });
    });
    issues.push(...messages.map((message) => ({ path: [...path, at], message })));
  });
  return conditions;
}
