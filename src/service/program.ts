/** The program behind main.ts: commands, the life of the engine, what a person sees. Returns exit codes. */
import { readFileSync } from 'node:fs';
import { PipelineError } from '../component/errors.ts';
import { loadCollectorConfig } from '../config/collector-config.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { formatIssue, type SourceIssue } from '../config/config-node.ts';
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { createLogger } from '../telemetry/logger.ts';
import { type PrintConfigCommand, parseCli, type RunCommand, type SourceFlags } from './cli.ts';
import { configSchemaText } from './config-schema.ts';
import { configurationMarkdown } from './configuration-markdown.ts';
import { Engine } from './engine.ts';
import { EXIT_CONFIG, EXIT_DEADLINE, EXIT_INTERNAL, EXIT_OK, exitCodeOf } from './exit-codes.ts';
import { cliIssuesText, componentsText, helpText, versionText } from './help.ts';
import { printConfig } from './print-config.ts';
import { startupText } from './startup-text.ts';

/** Common supervisors send SIGKILL ten seconds after SIGTERM. */
const STOP_DEADLINE_MS = 8000;

export interface Program {
  argv: readonly string[];
  registry: Registry;
  clock: Clock;
  failpoints: string | undefined;
  writeOut(text: string): void;
  writeError(text: string): void;
  /** Calls `onStop` at SIGINT or SIGTERM, first and later ones alike. */
  onSignal(onStop: (signal: string) => void): void;
}

/** Version of the package that this file belongs to: beside `src`, or two levels above the compiled one. */
export function packageVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string })
        .version;
    } catch {
      // The compiled tree lies one level deeper than the sources.
    }
  }
  return 'unknown';
}

export async function runProgram(program: Program): Promise<number> {
  const { command, issues } = parseCli(program.argv);
  if (command === undefined) {
    program.writeError(cliIssuesText(issues));
    return EXIT_CONFIG;
  }
  const factories = program.registry.values();
  switch (command.command) {
    case 'help':
      program.writeOut(helpText());
      return EXIT_OK;
    case 'version':
      program.writeOut(versionText(packageVersion()));
      return EXIT_OK;
    case 'components':
      program.writeOut(
        command.format === 'markdown'
          ? configurationMarkdown(factories)
          : componentsText(factories, packageVersion()),
      );
      return EXIT_OK;
    case 'config-schema':
      program.writeOut(configSchemaText(factories));
      return EXIT_OK;
    case 'print-config':
      return runPrintConfig(program, command);
    case 'validate':
      return loadPlan(program, command) === undefined ? EXIT_CONFIG : EXIT_OK;
    case 'run': {
      const plan = loadPlan(program, command);
      return plan === undefined ? EXIT_CONFIG : runEngine(program, command, plan);
    }
  }
}

/** Prints every issue and warning; undefined when the configuration is wrong. */
function loadPlan(program: Program, command: SourceFlags): CollectorPlan | undefined {
  const loaded = loadCollectorConfig(command, program.registry.values());
  const { warnings } = loaded.plan ?? loaded;
  writeFindings(program, [...command.warnings, ...warnings], loaded.issues);
  return loaded.plan;
}

function runPrintConfig(program: Program, command: PrintConfigCommand): number {
  const { text, issues, warnings } = printConfig(command, program.registry.values());
  writeFindings(program, [...command.warnings, ...warnings], issues);
  if (text === undefined) return EXIT_CONFIG;
  program.writeOut(text);
  return EXIT_OK;
}

function writeFindings(
  program: Program,
  warnings: readonly string[],
  issues: readonly SourceIssue[] | undefined,
): void {
  for (const warning of warnings) program.writeError(`warning: ${warning}\n`);
  if (issues === undefined) return;
  for (const issue of issues) program.writeError(`error: ${formatIssue(issue)}\n`);
  program.writeError(`${issues.length} errors in the configuration; nothing was started\n`);
}

async function runEngine(program: Program, command: RunCommand, plan: CollectorPlan): Promise<number> {
  const { clock } = program;
  const logger = createLogger(plan.telemetry.logs, clock);
  let end!: (exitCode: number) => void;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  let engine: Engine;
  try {
    engine = new Engine({
      ...{ command, plan, registry: program.registry, clock, logger, version: packageVersion() },
      failpoints: program.failpoints,
      onFatal: (error) => {
        logger.error('the engine cannot go on', { code: error.code, error: error.message });
        end(exitCodeOf(error.code));
      },
    });
  } catch (error) {
    return startFailed(program, error);
  }
  const started = engine.start();
  const stop = async (deadlineMs: number) => {
    await settledBy(started, deadlineMs, clock);
    await engine.stop(deadlineMs);
  };
  watchSignals(program, logger.info.bind(logger), stop, end);
  const exitCode = await Promise.race([
    started.then(
      () => undefined,
      (error: unknown) => startFailed(program, error),
    ),
    ended,
  ]);
  if (exitCode === undefined) program.writeError(startupText(command, plan, engine));
  const finalCode = exitCode ?? (await ended);
  engine.removeTemporaryFiles();
  return finalCode;
}

function startFailed(program: Program, error: unknown): number {
  const known = error instanceof PipelineError ? error : undefined;
  program.writeError(`error: ${known?.message ?? String((error as Error).stack)}\n`);
  return known === undefined ? EXIT_INTERNAL : exitCodeOf(known.code);
}

/** A start that is stopped half-way would open the rest behind the stop's back, so the stop waits for it. */
async function settledBy(started: Promise<void>, deadlineMs: number, clock: Clock): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(deadlineMs - clock.monotonicMs(), 0));
  });
  await Promise.race([started.catch(() => undefined), limit]);
  clearTimeout(timer);
}

function watchSignals(
  program: Program,
  log: (message: string, fields: Record<string, unknown>) => void,
  stop: (deadlineMs: number) => Promise<void>,
  end: (exitCode: number) => void,
): void {
  let stopping: Promise<void> | undefined;
  program.onSignal((signal) => {
    // Everything acknowledged is flushed already, so a second signal may end the process at once.
    if (stopping !== undefined) return end(EXIT_OK);
    log('stopping', { signal });
    const deadlineMs = program.clock.monotonicMs() + STOP_DEADLINE_MS;
    stopping = stop(deadlineMs).then(
      () => end(program.clock.monotonicMs() > deadlineMs ? EXIT_DEADLINE : EXIT_OK),
      () => end(EXIT_INTERNAL),
    );
  });
}
