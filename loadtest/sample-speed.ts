/**
 * How fast `millrace sample` replays a log that the engine recorded, with one worker and with two.
 *
 *   npm run build && node dist/loadtest/sample-speed.js [--seconds 25] [--runs 3] [--work-dir DIR]
 *
 * Prints both bars with the medians of the runs; exit code 1 when one is missed.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { assertPortsFree, ManagedProcess } from './child-process.ts';
import { runLoad } from './load.ts';
import { hardwareLine, projectRoot } from './machine.ts';
import { loadFromFlags } from './options.ts';

const PORT = 4318;
const ONE_MUST = 2_000_000;
const ONE_GOAL = 3_000_000;
const TWO_MUST = 1.6;
const TWO_GOAL = 1.8;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '25' },
    runs: { type: 'string', default: '3' },
    'work-dir': { type: 'string', default: join(tmpdir(), 'millrace-sample-speed') },
  },
});
const root = projectRoot();
const workDir = values['work-dir'];
const dataDir = join(workDir, 'data');
const main = join(root, 'dist/src/main.js');
const configs = join(root, 'loadtest/scenarios/configs');
const print = (line: string) => process.stdout.write(`${line}\n`);

async function record(): Promise<void> {
  rmSync(workDir, { recursive: true, force: true });
  mkdirSync(workDir, { recursive: true });
  await assertPortsFree([PORT]);
  const args = [main, '--config', join(configs, 'sample-record.yaml'), '--data-dir', dataDir];
  const engine = new ManagedProcess('engine', args, workDir);
  try {
    await engine.ready([PORT]);
    const flags = { rate: '0', duration: `${values.seconds}s`, warmup: '1s', connections: '16' };
    const { counts } = await runLoad(loadFromFlags({ ...flags, 'requests-per-trace': '4' }), () => {});
    print(`recorded ${counts.ackedRequests} requests`);
  } finally {
    await engine.stop();
  }
}

/** Spans a second, the start of the program left out. */
async function replay(workers: number): Promise<number> {
  const policies = join(configs, 'sample-policies.yaml');
  const argv = ['sample', '--json', '--policies', policies, '--from', dataDir, '--workers', String(workers)];
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...argv]);
  const { spans, seconds } = JSON.parse(stdout) as { spans: number; seconds: number };
  print(
    `  ${workers} workers: ${spans} spans in ${seconds.toFixed(2)} s, ${(spans / seconds / 1e6).toFixed(2)} M spans/s`,
  );
  return spans / seconds;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

print(hardwareLine(tmpdir()));
await record();
const one: number[] = [];
const two: number[] = [];
// Alternately, so that what else the machine does meets both.
for (let run = 0; run < Number(values.runs); run++) {
  one.push(await replay(1));
  two.push(await replay(2));
}
rmSync(workDir, { recursive: true, force: true });
const single = median(one);
const factor = median(two) / single;
const verdict = (value: number, must: number, goal: number) =>
  value >= goal ? 'goal reached' : value >= must ? 'must reached' : 'MISSED';
print(
  `one worker   ${(single / 1e6).toFixed(2)} M spans/s (must 2.0, goal 3.0): ${verdict(single, ONE_MUST, ONE_GOAL)}`,
);
print(`two workers  ${factor.toFixed(2)} x (must 1.6, goal 1.8): ${verdict(factor, TWO_MUST, TWO_GOAL)}`);
process.exitCode = single >= ONE_MUST && factor >= TWO_MUST ? 0 : 1;
