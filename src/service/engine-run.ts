/** The life of one engine as a person sees it: start, signals, reloads, the end with its exit code. */
import { PipelineError } from '../component/errors.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { createLogger, type ReloadableLogger } from '../telemetry/logger.ts';
import type { RunCommand } from './cli.ts';
import { Engine } from './engine.ts';
import { EXIT_DEADLINE, EXIT_INTERNAL, EXIT_OK, exitCodeOf } from './exit-codes.ts';
import { Reloader, type ReloadTarget } from './reload.ts';
import { FileWatch } from './reload-watch.ts';
import { startupText } from './startup-text.ts';

/** Common supervisors send SIGKILL ten seconds after SIGTERM. */
const STOP_DEADLINE_MS = 8000;

/** For the answers of waiting clients to leave before a failure ends the process. */
const ABANDON_MS = 1000;

export interface EngineRun {
  command: RunCommand;
  plan: CollectorPlan;
  registry: Registry;
  version: string;
  clock: Clock;
  failpoints: string | undefined;
  /** Files to look at for changes; none without `--watch`. */
  watchedFiles: readonly string[];
  /** Those that references in the configuration named when it was read last. */
  referencedFiles(): readonly string[];
  /** Reads the configuration again and tells every mistake; undefined when there is one. */
  readAgain(): Promise<CollectorPlan | undefined>;
  writeError(text: string): void;
  /** Calls `onStop` at SIGINT or SIGTERM, first and later ones alike. */
  onSignal(onStop: (signal: string) => void): void;
  /** Calls `onReload` at SIGHUP. */
  onReload(onReload: () => void): void;
}

/** @returns the exit code. */
export async function runEngine(run: EngineRun): Promise<number> {
  const { command, plan, registry, version, clock, failpoints } = run;
  let end!: (exitCode: number) => void;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  let logger: ReloadableLogger;
  let engine: Engine;
  try {
    logger = createLogger(plan.telemetry.logs, clock);
    engine = new Engine({
      ...{ command, plan, registry, clock, logger, version, failpoints },
      onFatal: (error) => {
        logger.error('the engine cannot go on', { code: error.code, error: error.message });
        void engine
          .abandon(clock.monotonicMs() + ABANDON_MS)
          .catch(() => undefined)
          .then(() => end(exitCodeOf(error.code)));
      },
    });
  } catch (error) {
    return startFailed(run, error);
  }
  const target = reloadTarget(engine, logger);
  const reloader = new Reloader({ plan, target, logger, read: () => run.readAgain() });
  const started = engine.start();
  const stop = async (deadlineMs: number) => {
    reloader.close();
    await settledBy(started, deadlineMs, clock);
    await engine.stop(deadlineMs);
  };
  watchSignals(run, logger.info.bind(logger), stop, end);
  const whenStarted = started.catch(() => undefined);
  // A reload that is asked for during the start waits for it.
  const reload = (reason: string) => void whenStarted.then(() => reloader.request(reason));
  run.onReload(() => reload('SIGHUP'));
  const exitCode = await Promise.race([
    started.then(
      () => undefined,
      (error: unknown) => startFailed(run, error),
    ),
    ended,
  ]);
  let watch: FileWatch | undefined;
  if (exitCode === undefined) {
    run.writeError(startupText(command, plan, engine));
    if (run.watchedFiles.length > 0) {
      const onChange = () => reload('a file changed');
      watch = new FileWatch(run.watchedFiles, onChange, () => run.referencedFiles());
    }
  }
  const finalCode = exitCode ?? (await ended);
  watch?.close();
  engine.removeTemporaryFiles();
  return finalCode;
}

/** The engine with its log: files that cannot be opened stop a reload before anything else has changed. */
function reloadTarget(engine: Engine, logger: ReloadableLogger): ReloadTarget {
  return {
    reload: async (plan) => {
      const prepared = logger.prepare(plan.telemetry.logs);
      try {
        await engine.reload(plan);
      } catch (error) {
        prepared.discard();
        throw error;
      }
      prepared.apply();
    },
    reloaded: (outcome) => engine.reloaded(outcome),
  };
}

function startFailed(run: EngineRun, error: unknown): number {
  const known = error instanceof PipelineError ? error : undefined;
  run.writeError(`error: ${known?.message ?? String((error as Error).stack)}\n`);
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
  run: EngineRun,
  log: (message: string, fields: Record<string, unknown>) => void,
  stop: (deadlineMs: number) => Promise<void>,
  end: (exitCode: number) => void,
): void {
  let stopping: Promise<void> | undefined;
  run.onSignal((signal) => {
    // Everything acknowledged is flushed already, so a second signal may end the process at once.
    if (stopping !== undefined) return end(EXIT_OK);
    log('stopping', { signal });
    const deadlineMs = run.clock.monotonicMs() + STOP_DEADLINE_MS;
    stopping = stop(deadlineMs).then(
      () => end(run.clock.monotonicMs() > deadlineMs ? EXIT_DEADLINE : EXIT_OK),
      () => end(EXIT_INTERNAL),
    );
  });
}
