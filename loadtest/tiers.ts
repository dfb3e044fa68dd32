/**
 * `npm run loadtest -- --plan`: how many machines the two tiers of configs/scalable need, from what the scenarios have
 * measured here, or from costs that are given.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hardwareLine, projectRoot } from './machine.ts';
import { formatCount } from './report.ts';
import { costsFrom, planTiers, type Results, type Tier, type TierCosts, type TierPlan } from './tier-plan.ts';

const MIB = 1024 * 1024;
const DEFAULTS = {
  spans: '10000000',
  kept: '0.1',
  wait: '60',
  'spans-per-trace': '8',
  bytes: '413',
  cores: '8',
  use: '0.6',
  ratio: '0.12',
  replicas: '3',
  costs: '',
};

export const PLAN_USAGE = `Usage: npm run loadtest -- --plan [options]
  --spans 1000000,10000000      spans a second, a column of the table for each
  --kept 0.1                    share of the traces that is kept; --wait 60: seconds of decision_wait
  --spans-per-trace 8           --bytes 413: of a span
  --cores 8                     of a machine; --use 0.6: how much of them is planned for
  --ratio 0.12                  bytes in Kafka for one that came in; --replicas 3
  --costs gateway=A,consuming=B,sampling=C,delivering=D,trace=E
                                CPU-us a span, and bytes of memory a pending trace, instead of the last results of scenarios
`;

type Flag = keyof typeof DEFAULTS;

const COST_NAMES = {
  gateway: 'gatewayUs',
  consuming: 'consumeUs',
  sampling: 'samplingUs',
  delivering: 'deliverUs',
  trace: 'bytesPerTrace',
} as const satisfies Record<string, keyof TierCosts>;

const results: Results = (scenario) => {
  const path = join(projectRoot(), 'loadtest/results', `${scenario}.json`);
  if (!existsSync(path)) return {};
  const { measured } = JSON.parse(readFileSync(path, 'utf8')) as { measured: Record<string, number>[] };
  const byName: Record<string, number[]> = {};
  for (const run of measured) {
    for (const [name, value] of Object.entries(run)) {
      byName[name] ??= [];
      byName[name].push(value);
    }
  }
  return byName;
};

/** @throws Error that says what is wrong with the text. */
function givenCosts(text: string): TierCosts {
  const given = new Map(text.split(',').map((part) => part.split('=', 2) as [string, string | undefined]));
  const names = Object.keys(COST_NAMES);
  const unknown = [...given.keys()].filter((name) => !names.includes(name));
  const missing = names.filter((name) => !Number.isFinite(Number(given.get(name) ?? 'missing')));
  if (unknown.length > 0 || missing.length > 0)
    throw new Error(`--costs wants a number for each of ${names.join(', ')}`);
  return Object.fromEntries(
    Object.entries(COST_NAMES).map(([name, key]) => [key, Number(given.get(name))]),
  ) as unknown as TierCosts;
}

const tierText = ({ cores, machines }: Tier): string => `${machines} (${formatCount(cores)} cores)`;
const size = (bytes: number): string =>
  bytes < 1024 * MIB ? `${(bytes / MIB).toPrecision(3)} MiB` : `${(bytes / MIB / 1024).toPrecision(3)} GiB`;

const ROWS: readonly [string, (plan: TierPlan) => string][] = [
  ['gateways', ({ gateways }) => tierText(gateways)],
  ['processors', ({ processors }) => tierText(processors)],
  ['partitions', ({ partitions }) => String(partitions)],
  ['into Kafka', (plan) => `${size(plan.kafkaInBytesPerSecond)}/s`],
  ['written by the brokers', (plan) => `${size(plan.kafkaWrittenBytesPerSecond)}/s`],
  ['pending traces', ({ pendingTraces }) => formatCount(pendingTraces)],
  ['num_traces of a processor', ({ numTraces }) => String(numTraces)],
  ['its index', ({ indexBytes }) => size(indexBytes)],
  ['pending on its disk', ({ pendingDiskBytes }) => size(pendingDiskBytes)],
  ['into the stores', ({ keptSpansPerSecond }) => `${formatCount(keptSpansPerSecond)} spans/s`],
];

/** @throws Error with a text for whoever asked. */
export function planLines(argv: readonly string[]): string[] {
  const options = Object.fromEntries(
    Object.keys(DEFAULTS).map((flag) => [flag, { type: 'string' as const }]),
  );
  const { values } = parseArgs({ args: [...argv], options });
  const text = (flag: Flag): string => (values[flag] as string | undefined) ?? DEFAULTS[flag];
  const number = (flag: Flag): number => Number(text(flag));
  const costs = text('costs') === '' ? costsFrom(results) : givenCosts(text('costs'));
  const load = {
    spansPerTrace: number('spans-per-trace'),
    bytesPerSpan: number('bytes'),
    keptShare: number('kept'),
    decisionWaitSeconds: number('wait'),
    kafkaRatio: number('ratio'),
    kafkaReplicas: number('replicas'),
    coresPerMachine: number('cores'),
    utilisation: number('use'),
  };
  const rates = text('spans').split(',').map(Number);
  const plans = rates.map((spansPerSecond) => planTiers(costs, { ...load, spansPerSecond }));
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const { gateways, processors } = plans[0]!;
  return [
    ...(text('costs') === '' ? [hardwareLine(projectRoot())] : []),
    `gateway ${gateways.cpuUs.toFixed(2)} CPU-us a span; processor ${processors.cpuUs.toFixed(2)}: consuming ` +
      `${costs.consumeUs.toFixed(2)}, sampling ${costs.samplingUs.toFixed(2)}, ${load.keptShare} of delivering ` +
      `${costs.deliverUs.toFixed(2)}; ${costs.bytesPerTrace.toFixed(0)} bytes a pending trace`,
    `machines of ${load.coresPerMachine} cores, ${load.utilisation * 100} % of them planned for; ${load.bytesPerSpan} bytes a span, ` +
      `${load.spansPerTrace} spans a trace, decided after ${load.decisionWaitSeconds} s; ${load.kafkaReplicas} replicas`,
    '',
    row(['spans a second', ...rates.map(formatCount)]),
    row(['---', ...rates.map(() => '---')]),
    ...ROWS.map(([name, cell]) => row([name, ...plans.map(cell)])),
  ];
}
