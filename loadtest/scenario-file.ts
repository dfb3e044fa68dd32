/** Scenario files: one YAML a bar, with what to start, what to send, and what the result must be. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { isLoadFlag } from './options.ts';

export const SCENARIO_KINDS = [
  'steady',
  'delivery',
  'outage',
  'isolation',
  'sampling',
  'pending',
  'index',
  'consume',
  'replay',
] as const;
export type ScenarioKind = (typeof SCENARIO_KINDS)[number];

/** Real servers, got and run by configs/scripts/services.sh. */
export const SERVER_NAMES = ['kafka', 's3'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

/** A bound such as `<= 0.9`. */
export interface Bound {
  readonly isUpper: boolean;
  readonly value: number;
}

export interface Bar {
  readonly name: string;
  /** `load.metric`, or two of them with `/` or `-` between. */
  readonly metric: string;
  readonly unit: string;
  readonly must: Bound;
  readonly goal: Bound | undefined;
}

export interface ScenarioLoad {
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly kind: ScenarioKind;
  /** File in scenarios/configs. */
  readonly config: string;
  readonly runs: number;
  /** Loads of one run meet the same engine; otherwise each has a fresh one. */
  readonly sharesEngine: boolean;
  readonly needsNullClickhouse: boolean;
  /** An OTLP server on ports of its own that keeps nothing, behind the engine. */
  readonly needsNullOtlp: boolean;
  readonly servers: readonly ServerName[];
  /** The configuration with which an engine first fills what the measured one reads; empty when there is no such thing. */
  readonly fillConfig: string;
  readonly loads: readonly ScenarioLoad[];
  /** Numbers that a kind needs beside its loads, such as the bytes of an outage. */
  readonly settings: Readonly<Record<string, number>>;
  readonly bars: readonly Bar[];
}

type Metrics = Readonly<Record<string, number>>;

export function parseBound(text: string): Bound {
  const match = /^(<=|>=)\s*([\d.]+)$/.exec(text);
  if (match === null) throw new RangeError(`a bound is "<= number" or ">= number": ${text}`);
  return { isUpper: match[1] === '<=', value: Number(match[2]) };
}

export function meetsBound(bound: Bound, value: number): boolean {
  return bound.isUpper ? value <= bound.value : value >= bound.value;
}

export function formatBound(bound: Bound): string {
  return `${bound.isUpper ? '<=' : '>='} ${bound.value}`;
}

/** @throws RangeError when a metric was not measured: a bar never passes for want of a number. */
export function evaluateMetric(expression: string, metrics: Metrics): number {
  const value = (name: string): number => {
    const found = metrics[name];
    if (found === undefined || Number.isNaN(found)) throw new RangeError(`metric ${name} was not measured`);
    return found;
  };
  const [left = '', operator, right = ''] = expression.split(' ');
  if (operator === undefined) return value(left);
  if (operator === '/') return value(left) / value(right);
  if (operator === '-') return value(left) - value(right);
  throw new RangeError(`no operator ${operator} in ${expression}`);
}

interface RawScenario {
  title: string;
  kind?: string;
  config: string;
  runs?: number;
  shares_engine?: boolean;
  null_clickhouse?: boolean;
  null_otlp?: boolean;
  servers?: string[];
  fill_config?: string;
  loads: Record<string, Record<string, string | number>>;
  settings?: Record<string, number>;
  bars: { name: string; metric: string; unit?: string; must: string; goal?: string }[];
}

const KEYS = [
  'title',
  'kind',
  'config',
  'runs',
  'shares_engine',
  'null_clickhouse',
  'null_otlp',
  'servers',
  'fill_config',
  'loads',
  'settings',
  'bars',
];

function parseLoad(name: string, raw: Record<string, string | number>): ScenarioLoad {
  const flags: Record<string, string> = {};
  for (const [flag, value] of Object.entries(raw)) {
    if (!isLoadFlag(flag)) throw new RangeError(`load ${name}: no flag ${flag}`);
    flags[flag] = String(value);
  }
  return { name, flags };
}

function parseServer(scenario: string, text: string): ServerName {
  const server = SERVER_NAMES.find((one) => one === text);
  if (server === undefined) throw new RangeError(`scenario ${scenario}: no server ${text}`);
  return server;
}

export function parseScenario(name: string, text: string): Scenario {
  const raw = parse(text) as RawScenario;
  const unknown = Object.keys(raw).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) throw new RangeError(`scenario ${name}: unknown keys ${unknown.join(', ')}`);
  const kind = SCENARIO_KINDS.find((one) => one === (raw.kind ?? 'steady'));
  if (kind === undefined) throw new RangeError(`scenario ${name}: no kind ${raw.kind}`);
  return {
    name,
    title: raw.title,
    kind,
    config: raw.config,
    runs: raw.runs ?? 3,
    sharesEngine: raw.shares_engine ?? false,
    needsNullClickhouse: raw.null_clickhouse ?? false,
    needsNullOtlp: raw.null_otlp ?? false,
    servers: (raw.servers ?? []).map((server) => parseServer(name, server)),
    fillConfig: raw.fill_config ?? '',
    loads: Object.entries(raw.loads).map(([load, flags]) => parseLoad(load, flags)),
    settings: raw.settings ?? {},
    bars: raw.bars.map((bar) => ({
      name: bar.name,
      metric: bar.metric,
      unit: bar.unit ?? '',
      must: parseBound(bar.must),
      goal: bar.goal === undefined ? undefined : parseBound(bar.goal),
    })),
  };
}

/**
 * Scenarios of a directory in the order of their file names.
 * @param wanted `all`, or names with commas between them.
 * @throws RangeError for a name that is none.
 */
export function readScenarios(dir: string, wanted: string): Scenario[] {
  const files = readdirSync(dir)
    .filter((file) => file.endsWith('.yaml'))
    .sort();
  const scenarios = files.map((file) =>
    parseScenario(basename(file, '.yaml'), readFileSync(join(dir, file), 'utf8')),
  );
  if (wanted === 'all') return scenarios;
  const names = new Set(wanted.split(',').map((name) => name.trim()));
  const found = scenarios.filter(({ name }) => names.delete(name));
  if (names.size > 0) {
    const known = scenarios.map(({ name }) => name).join(', ');
    throw new RangeError(`no scenario ${[...names].join(', ')}; there are ${known}, all`);
  }
  return found;
}
