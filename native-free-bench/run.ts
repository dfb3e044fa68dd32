/** `npm run bench`: every suite, its gates, and how its ratios stand against the stored ones. */
import './no-native.ts';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { suites as conditionSuites } from './conditions.bench.ts';
import { suites as generatorSuites } from './generator.bench.ts';
import { type GateResult, runSuite, type Suite, type SuiteResult } from './harness.ts';
import { suites as histogramSuites } from './histogram.bench.ts';
import { projectRoot } from './inputs.ts';
import { suites as jsonSuites } from './json.bench.ts';
import { suites as nativeBlockSuites } from './native-block.bench.ts';
import { suites as ringSuites } from './ring.bench.ts';
import { suites as samplingSuites } from './sampling.bench.ts';
import { suites as scanSuites } from './scan.bench.ts';
import { suites as sliceSuites } from './slice.bench.ts';

const ALL: readonly Suite[] = [
  ...scanSuites,
  ...sliceSuites,
  ...samplingSuites,
  ...conditionSuites,
  ...jsonSuites,
  ...nativeBlockSuites,
  ...ringSuites,
  ...histogramSuites,
  ...generatorSuites,
];

/** A ratio below this part of the stored one is pointed out; only the gates fail the run. */
const NOTICE_BELOW = 0.85;

type Baseline = Record<string, number>;

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const gateKey = (suite: Suite, gate: GateResult): string =>
  `${suite.name}: ${gate.fast} against ${gate.slow}`;

function printResult(result: SuiteResult, baseline: Baseline): void {
  const { suite } = result;
  print(`${suite.name} (${suite.itemsPerOp} ${suite.item}s, ${suite.bytesPerOp} bytes an operation)`);
  for (const [name, variant] of Object.entries(result.variants)) {
    const throughput = suite.bytesPerOp === 0 ? '' : `  ${variant.mibPerSecond.toFixed(0).padStart(6)} MiB/s`;
    const perSecond = `${(variant.itemsPerSecond / 1e6).toFixed(3).padStart(9)} M ${suite.item}s/s`;
    print(
      `  ${name.padEnd(24)} ${variant.nsPerItem.toFixed(1).padStart(10)} ns a ${suite.item}  ${perSecond}${throughput}`,
    );
  }
  for (const gate of result.gates) {
    const stored = baseline[gateKey(suite, gate)];
    const notice =
      stored !== undefined && gate.ratio < stored * NOTICE_BELOW ? '  below the stored ratio' : '';
    const compared = stored === undefined ? '' : `, stored ${stored.toFixed(1)}`;
    print(
      `  ${gate.isMet ? 'ok  ' : 'FAIL'} ${gate.fast} is ${gate.ratio.toFixed(1)} x as fast as ${gate.slow} (at least ${gate.atLeast}${compared})${notice}`,
    );
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string', default: '' },
      time: { type: 'string', default: '300' },
      rounds: { type: 'string', default: '3' },
      'update-baseline': { type: 'boolean', default: false },
    },
  });
  const baselinePath = join(projectRoot(), 'native-free-bench/results/baseline.json');
  const baseline: Baseline = existsSync(baselinePath)
    ? (JSON.parse(readFileSync(baselinePath, 'utf8')) as Baseline)
    : {};
  print(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}`);
  const measured: Baseline = {};
  let failed = 0;
  for (const suite of ALL.filter((one) => one.name.includes(values.filter))) {
    const result = runSuite(suite, { timeMs: Number(values.time), rounds: Number(values.rounds) });
    printResult(result, baseline);
    for (const gate of result.gates) {
      measured[gateKey(suite, gate)] = Math.round(gate.ratio * 10) / 10;
      if (!gate.isMet) failed += 1;
    }
  }
  if (values['update-baseline']) {
    writeFileSync(baselinePath, `${JSON.stringify({ ...baseline, ...measured }, undefined, 2)}\n`);
  }
  if (failed > 0) print(`${failed} gates failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main();
