import type { Signal } from '../../component/signal.ts';
import { refused, section, squash } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, type Shape } from '../../config/schema.ts';
import type { ErrorMode } from '../../ottl/condition-list.ts';
import { type MatchCriteria, signalIssues } from '../helper/match-config.ts';
import {
  blockGroups,
  type ConditionGroup,
  errorMode,
  groupList,
  type LogBlock,
  logBlockShape,
  type MetricBlock,
  metricBlockShape,
  type TraceBlock,
  traceBlockShape,
} from './condition-config.ts';
import { type FilterBlock, logShape, metricShape, selectionShape, spanShape } from './selection-config.ts';

/** A signal's key with both kinds of rules below it, of which one is there. */
export interface MixedBlock<T> {
  selection: FilterBlock;
  lists: T;
}

export interface FilterConfig {
  errorMode: ErrorMode;
  traces: TraceBlock | undefined;
  metrics: MixedBlock<MetricBlock> | undefined;
  logs: MixedBlock<LogBlock> | undefined;
  traceGroups: ConditionGroup[] | undefined;
  metricGroups: ConditionGroup[] | undefined;
  logGroups: ConditionGroup[] | undefined;
  spans: FilterBlock | undefined;
}

const NOTHING = 'needs "include", "exclude" or both';

function isGiven({ include, exclude }: FilterBlock): boolean {
  return include !== undefined || exclude !== undefined;
}

const isWritten = (lists: object) => Object.values(lists).some((list) => list !== undefined);

/** The keys of a signal under which include, exclude and lists of conditions stand side by side. */
function mixedShape<T extends object>(
  conditions: Shape<T>,
  criteria: Shape<MatchCriteria>,
): Shape<MixedBlock<T>> {
  return defineShape<MixedBlock<T>>(
    { lists: squash(conditions), selection: squash(selectionShape(criteria)) },
    ({ selection, lists }) => {
      if (isGiven(selection) !== isWritten(lists)) return [];
      const both = 'include and exclude cannot stand beside lists of conditions';
      return [{ key: '', message: isGiven(selection) ? both : NOTHING }];
    },
  );
}

const CLASH = 'cannot stand beside other rules for the same signal:';

function clashes(config: FilterConfig): CheckIssue[] {
  const { spans, traces, metrics, logs, traceGroups, metricGroups, logGroups } = config;
  const issues: CheckIssue[] = [];
  const clash = (key: string, others: readonly (readonly [string, unknown])[]) => {
    const given = others.filter(([, value]) => value !== undefined).map(([name]) => `"${name}"`);
    if (given.length > 0) issues.push({ key, message: `${CLASH} ${given.join(', ')}` });
  };
  if (traces !== undefined) clash('traces', [['spans', spans]]);
  if (traceGroups !== undefined) {
    clash('trace_conditions', [
      ['spans', spans],
      ['traces', traces],
    ]);
  }
  if (metricGroups !== undefined) clash('metric_conditions', [['metrics', metrics]]);
  if (logGroups !== undefined) clash('log_conditions', [['logs', logs]]);
  return issues;
}

function check(config: FilterConfig): CheckIssue[] {
  const { spans } = config;
  const issues: CheckIssue[] = [];
  if (spans !== undefined && !isGiven(spans)) issues.push({ key: 'spans', message: NOTHING });
  const misplaced = signalIssues(spans?.include, 'include', 'traces').concat(
    signalIssues(spans?.exclude, 'exclude', 'traces'),
  );
  return [...clashes(config), ...issues, ...misplaced.map((message) => ({ key: 'spans', message }))];
}

export const filterConfigSchema = defineConfig<FilterConfig>(
  {
    errorMode,
    traces: section('traces', traceBlockShape, {
      optional: true,
      doc: 'Which spans and events are dropped.',
    }),
    metrics: section('metrics', mixedShape(metricBlockShape, metricShape), {
      optional: true,
      doc: 'Which metrics and data points are dropped, or which metrics stay.',
    }),
    logs: section('logs', mixedShape(logBlockShape, logShape), {
      optional: true,
      doc: 'Which log records are dropped, or which stay.',
    }),
    traceGroups: groupList('trace_conditions', 'traces'),
    metricGroups: groupList('metric_conditions', 'metrics'),
    logGroups: groupList('log_conditions', 'logs'),
    spans: section('spans', selectionShape(spanShape), { optional: true, doc: 'Which spans stay.' }),
  },
  check,
  ['profiles', 'profile_conditions'].map((key) => refused(key, 'is not supported yet: profiles are not')),
);

/** Include and exclude for the items of a signal; undefined: all of them stay. */
export function selectionOf(config: FilterConfig, signal: Signal): FilterBlock | undefined {
  const { spans, metrics, logs } = config;
  const selection = { traces: spans, metrics: metrics?.selection, logs: logs?.selection }[signal];
  return selection !== undefined && isGiven(selection) ? selection : undefined;
}

/** Groups of conditions for a signal, to be looked at one after the other, each on what the one before left. */
export function groupsOf(config: FilterConfig, signal: Signal): ConditionGroup[] {
  const { traces, metrics, logs } = config;
  switch (signal) {
    case 'traces':
      return config.traceGroups ?? blockGroups({ ...traces });
    case 'metrics':
      return config.metricGroups ?? blockGroups({ ...metrics?.lists });
    case 'logs':
      return config.logGroups ?? blockGroups({ resource: logs?.lists.resource, log: logs?.lists.logRecord });
  }
}
