/** `service::telemetry::logs`: level, form and places of the engine's own log lines. */
import {
  anything,
  boolean,
  count,
  duration,
  ignored,
  oneOf,
  refused,
  section,
  stringList,
} from './field-kinds.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from './schema.ts';
import type { TelemetryPlan } from './telemetry-plan.ts';

type LogsPlan = TelemetryPlan['logs'];
type Level = LogsPlan['level'];
type Encoding = LogsPlan['encoding'];

interface SamplingKeys {
  isEnabled: boolean;
  tickMs: number;
  initial: number;
  thereafter: number;
}

interface LogsKeys {
  level: Level;
  encoding: Encoding;
  sampling: SamplingKeys;
  outputPaths: string[];
  errorOutputPaths: string[];
  initialFields: unknown;
}

/** What would change lines of the Collector and of this engine not: they have no callers, stacks or resource. */
const NOT_IN_LINES = 'log lines hold no callers, stack traces or resource';

const samplingShape = defineShape<SamplingKeys>({
  isEnabled: boolean('enabled', { default: true, doc: 'Whether repeated lines are thinned out.' }),
  tickMs: duration('tick', { default: '10s', doc: 'Time over which lines are counted.' }),
  initial: count('initial', { default: 10, doc: 'Lines of one message before thinning.' }),
  thereafter: count('thereafter', {
    default: 100,
    doc: 'One of this many lines after that; 0 for none.',
  }),
});

export const telemetryLogsShape: Shape<LogsPlan> = mapShape(
  defineShape<LogsKeys>(
    {
      level: oneOf('level', {
        values: ['debug', 'info', 'warn', 'error'],
        default: 'info',
        ignoreCase: true,
        doc: 'Least severity that is printed.',
      }),
      encoding: oneOf('encoding', {
        values: ['console', 'json'],
        default: 'console',
        doc: 'Lines for people or for programs.',
      }),
      sampling: section('sampling', samplingShape, { doc: 'Thinning of repeated lines.' }),
      outputPaths: stringList('output_paths', {
        default: ['stderr'],
        doc: '`stderr`, `stdout`, or paths of files that lines are appended to.',
      }),
      errorOutputPaths: stringList('error_output_paths', {
        default: ['stderr'],
        doc: 'Where it is said that an output cannot be written.',
      }),
      initialFields: anything('initial_fields', { doc: 'Fields of every line: a map.' }),
    },
    (logs) => [
      ...checkOutputs('output_paths', logs.outputPaths),
      ...checkOutputs('error_output_paths', logs.errorOutputPaths),
      ...checkFields(logs.initialFields),
    ],
    [
      ignored(boolean('development', { doc: 'Development mode.' }), NOT_IN_LINES),
      ignored(boolean('disable_caller', { doc: 'No source positions.' }), NOT_IN_LINES),
      ignored(boolean('disable_stacktrace', { doc: 'No stack traces.' }), NOT_IN_LINES),
      ignored(boolean('disable_zap_resource', { doc: 'No resource fields.' }), NOT_IN_LINES),
      refused('processors'),
    ],
  ),
  ({ level, encoding, sampling, outputPaths, errorOutputPaths, initialFields }) => ({
    level,
    encoding,
    sampling: sampling.isEnabled
      ? { tickMs: sampling.tickMs, initial: sampling.initial, thereafter: sampling.thereafter }
      : 'off',
    outputPaths: outputPaths.map(withoutScheme),
    errorOutputPaths: errorOutputPaths.map(withoutScheme),
    initialFields: (initialFields ?? {}) as Record<string, unknown>,
  }),
);

function withoutScheme(path: string): string {
  return path.replace(/^file:\/\/(?:localhost)?(?=\/)/, '');
}

function checkOutputs(key: string, paths: readonly string[]): CheckIssue[] {
  if (paths.length === 0) return [{ key, message: 'needs at least one of stderr, stdout or a path' }];
  return paths.flatMap((path, index) =>
    path === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(withoutScheme(path))
      ? [{ key: `${key}.${index}`, message: 'expected stderr, stdout or the path of a file' }]
      : [],
  );
}

/** Names that lines use themselves. */
const TAKEN_FIELDS = ['level', 'ts', 'msg'];

function checkFields(fields: unknown): CheckIssue[] {
  const key = 'initial_fields';
  if (fields === undefined || fields === null) return [];
  if (typeof fields !== 'object' || Array.isArray(fields))
    return [{ key, message: 'expected a map of fields' }];
  return TAKEN_FIELDS.filter((name) => Object.hasOwn(fields, name)).map((name) => ({
    key: `${key}.${name}`,
    message: 'is a field of every line already',
  }));
}
