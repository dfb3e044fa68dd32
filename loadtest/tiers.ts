/**
 * Prints how many machines the two tiers of configs/scalable need, from what the scenarios have measured here.
 *
 *   node dist/loadtest/tiers.js [--spans 10000000] [--kept 0.1] [--wait 60] [--spans-per-trace 8] [--bytes 413]
 *                               [--cores 8] [--use 0.6] [--ratio 0.12] [--replicas 3]
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hardwareLine, projectRoot } from './machine.ts';
import { formatCount } from './report.ts';
import { costsFrom, planTiers, type Results, type Tier } from './tier-plan.ts';

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
};

type Flag = keyof typeof DEFAULTS;

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

function tierLine(name: string, tier: Tier, cores: number): string {
  return `${name.padEnd(12)} ${tier.cpuUs.toFixed(2)} us/span   ${formatCount(tier.cores)} cores   ${tier.machines} machines of ${cores}`;
}

function main(): string[] {
  const options = Object.fromEntries(
    Object.keys(DEFAULTS).map((flag) => [flag, { type: 'string' as const }]),
  );
  const { values } = parseArgs({ options });
  const number = (flag: Flag): number => Number(values[flag] ?? DEFAULTS[flag]);
  const costs = costsFrom(results);
  const load = {
    spansPerSecond: number('spans'),
    spansPerTrace: number('spans-per-trace'),
    bytesPerSpan: number('bytes'),
    keptShare: number('kept'),
    decisionWaitSeconds: number('wait'),
    kafkaRatio: number('ratio'),
    kafkaReplicas: number('replicas'),
    coresPerMachine: number('cores'),
    utilisation: number('use'),
  };
  const plan = planTiers(costs, load);
  const mib = (bytes: number): string => `${formatCount(bytes / MIB)} MiB`;
  return [
    hardwareLine(projectRoot()),
    `measured     gateway ${costs.gatewayUs.toFixed(2)}, consuming ${costs.consumeUs.toFixed(2)}, sampling ${costs.samplingUs.toFixed(2)}, ` +
      `delivering ${costs.deliverUs.toFixed(2)} CPU-us a span; ${costs.bytesPerTrace.toFixed(0)} bytes a pending trace`,
    `load         ${formatCount(load.spansPerSecond)} spans/s of ${load.bytesPerSpan} bytes, ${load.spansPerTrace} a trace, ` +
      `${load.keptShare * 100} % kept after ${load.decisionWaitSeconds} s, cores used to ${load.utilisation * 100} %`,
    tierLine('gateways', plan.gateways, load.coresPerMachine),
    tierLine('processors', plan.processors, load.coresPerMachine),
    `Kafka        ${plan.partitions} partitions, ${mib(plan.kafkaInBytesPerSecond)}/s in, ${mib(plan.kafkaWrittenBytesPerSecond)}/s written by ${load.kafkaReplicas} replicas`,
    `a processor  num_traces ${plan.numTraces}, ${mib(plan.indexBytes)} of index, ${mib(plan.pendingDiskBytes)} pending on disk`,
    `stores       ${formatCount(plan.keptSpansPerSecond)} spans/s`,
  ];
}

try {
  process.stdout.write(`${main().join('\n')}\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
