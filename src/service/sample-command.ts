/** `millrace sample`: a dry run of sampling policies over recorded requests. */
import type { CommandProgram } from './command-program.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { cliIssuesText } from './help.ts';
import { ReadProgress } from './read-progress.ts';
import { parseSampleCli, SAMPLE_HELP, type SampleCommand } from './sample-cli.ts';
import { type PolicyFile, readPolicyFile } from './sample-policies.ts';
import { buildReport } from './sample-report.ts';
import { type PlannedInput, planInput, runSample } from './sample-run.ts';
import { SampleTeam } from './sample-team.ts';
import { reportText } from './sample-text.ts';

/** @returns the exit code. */
export async function runSampleCommand(program: CommandProgram): Promise<number> {
  const { command, ...parsed } = parseSampleCli(program.argv);
  if (command === undefined) {
    program.writeError(cliIssuesText('issues' in parsed ? (parsed.issues ?? []) : []));
    return EXIT_CONFIG;
  }
  if (command === 'help') {
    program.writeOut(SAMPLE_HELP);
    return EXIT_OK;
  }
  const files = readFiles(program, command);
  if (files === undefined) return EXIT_CONFIG;
  const startMs = program.clock.monotonicMs();
  const team = new SampleTeam(command.workers);
  try {
    const input = await planInput(command);
    if ('error' in input) {
      program.writeError(`error: ${command.from}: ${input.error}\n`);
      return EXIT_CONFIG;
    }
    await replay(program, command, files, input, { team, startMs });
    return EXIT_OK;
  } catch (error) {
    // What the file system refuses is said in one line; anything else is a fault of this program.
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    program.writeError(`error: ${command.from}: ${(error as Error).message}\n`);
    return EXIT_CONFIG;
  } finally {
    await team.close();
  }
}

/** Every mistake in either file is printed. */
function readFiles(program: CommandProgram, command: SampleCommand): PolicyFile[] | undefined {
  const paths = [command.policies, ...(command.compare === undefined ? [] : [command.compare])];
  const results = paths.map((path) => readPolicyFile(path, command.processor));
  for (const result of results) {
    for (const warning of result.warnings) program.writeError(`warning: ${warning}\n`);
    if (result.policies === undefined)
      for (const issue of result.issues) program.writeError(`error: ${issue}\n`);
  }
  const files = results.flatMap(({ policies }) => policies ?? []);
  return files.length === paths.length ? files : undefined;
}

async function replay(
  program: CommandProgram,
  command: SampleCommand,
  files: readonly PolicyFile[],
  input: PlannedInput,
  { team, startMs }: { team: SampleTeam; startMs: number },
): Promise<void> {
  const { clock, writeOut, writeError } = program;
  const { workers, storeRatio, from, isJson } = command;
  // How much a compressed file holds is not known before its end.
  const totalBytes = input.plan.kind === 'file' && input.plan.isGzip ? 0 : input.plan.sizeBytes;
  const progress = new ReadProgress({
    ...{ totalBytes: () => totalBytes, items: 'spans', done: 'replayed', clock, write: writeError },
  });
  const outcome = await runSample({
    ...{ input, team, examples: command.examples },
    configs: files.map(({ config }) => config),
    onProgress: (bytes, spans) => progress.show(bytes, spans),
  });
  const seconds = (clock.monotonicMs() - startMs) / 1000;
  progress.end(outcome.counts.spans, seconds);
  const report = buildReport({ ...{ from, files, outcome, storeRatio, seconds, workers } });
  writeOut(isJson ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report));
}
