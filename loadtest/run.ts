/** `npm run loadtest`: one load against a running server, a scenario that starts everything itself, or a plan of tiers. */
import { writeFileSync } from 'node:fs';
import { runLoad } from './load.ts';
import { loadFromFlags, parseCommandLine, USAGE } from './options.ts';
import { progressLine, summaryLines } from './report.ts';
import { runScenarios } from './scenario.ts';
import { PLAN_USAGE, planLines } from './tiers.ts';

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === '--plan') {
    for (const line of rest.includes('--help') ? [PLAN_USAGE] : planLines(rest)) print(line);
    return;
  }
  const commandLine = parseCommandLine(process.argv.slice(2));
  if (commandLine.isHelp) {
    print(USAGE);
    return;
  }
  if (commandLine.flags.scenario !== undefined) {
    const allPassed = await runScenarios(commandLine, print);
    process.exitCode = allPassed ? 0 : 1;
    return;
  }
  const options = loadFromFlags(commandLine.flags);
  const result = await runLoad(options, (progress) => print(progressLine(progress)));
  for (const line of summaryLines(result)) print(line);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
