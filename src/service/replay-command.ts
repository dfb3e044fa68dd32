/** `millrace replay`: what an archive holds, sent again. */
import { PipelineError } from '../component/errors.ts';
import type { ArchiveRange } from '../s3/archive-list.ts';
import type { Clock } from '../stdx/clock.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { SendingProgram } from './command-program.ts';
import { EXIT_CONFIG, EXIT_DEADLINE, EXIT_OK, EXIT_PARTIAL } from './exit-codes.ts';
import { ExporterRoutes } from './exporter-routes.ts';
import { cliIssuesText } from './help.ts';
import { ReadProgress } from './read-progress.ts';
import { parseReplayCli, REPLAY_HELP, type ReplayCommand, type TimeWord } from './replay-cli.ts';
import { emptyReplayCounts, itemsDelivered } from './replay-counts.ts';
import { isComplete, type ReplayOutcome, replayJson, replayText } from './replay-report.ts';
import { ReplayRun, type ReplayTarget } from './replay-run.ts';
import { countTotals, type OpenSource, openSource } from './replay-source.ts';
import { defaultStatePath, readState, StateFile, type StoredReplay } from './replay-state.ts';
import { DryTarget, ExporterTarget, targetPlan } from './replay-target.ts';

const LINE_EVERY_MS = 10_000;
const SHUTDOWN_MS = 5_000;

/** @returns the exit code. */
export async function runReplayCommand(program: SendingProgram): Promise<number> {
  const parsed = parseReplayCli(program.argv);
  if (parsed.command === undefined) {
    program.writeError(cliIssuesText(parsed.issues));
    return EXIT_CONFIG;
  }
  const { command } = parsed;
  if (command === 'help') {
    program.writeOut(REPLAY_HELP);
    return EXIT_OK;
  }
  const stop = new AbortController();
  program.onSignal(() => stop.abort());
  let source: OpenSource | undefined;
  try {
    source = await openSource(command, program.clock.unixMs() >>> 0, stop.signal);
    return command.isDryRun
      ? await replay(program, command, source, freshState(program.clock, command), stop)
      : await replayToTarget(program, command, source, stop);
  } catch (error) {
    if (!(error instanceof PipelineError) && (error as NodeJS.ErrnoException).syscall === undefined)
      throw error;
    program.writeError(`error: ${command.from}: ${(error as Error).message}\n`);
    return EXIT_CONFIG;
  } finally {
    await source?.store.close();
  }
}

function freshState(clock: Clock, command: ReplayCommand): StoredReplay {
  const nowMs = clock.unixMs();
  const resolve = (word: TimeWord) =>
    word === undefined ? null : 'unixMs' in word ? word.unixMs : nowMs - word.backMs;
  return {
    version: 1,
    ...{ from: command.from, to: command.to, since: command.sinceText, until: command.untilText },
    ...{ signals: command.signals, limits: {}, counts: emptyReplayCounts(), after: '', partial: {} },
    ...{ sinceUnixMs: resolve(command.since), untilUnixMs: resolve(command.until) },
  };
}

async function replayToTarget(
  program: SendingProgram,
  command: ReplayCommand,
  source: OpenSource,
  stop: AbortController,
): Promise<number> {
  const { registry, clock, writeError } = program;
  const found = targetPlan(command, registry);
  for (const warning of found.warnings) writeError(`warning: ${warning}\n`);
  if ('issues' in found) {
    for (const issue of found.issues) writeError(`error: ${issue}\n`);
    return EXIT_CONFIG;
  }
  const statePath = command.statePath ?? defaultStatePath(command);
  let stored: StoredReplay | undefined;
  try {
    stored = command.isRestart ? undefined : readState(statePath, command);
  } catch (error) {
    writeError(`error: ${(error as Error).message}\n`);
    return EXIT_CONFIG;
  }
  const state = stored ?? freshState(clock, command);
  if (stored !== undefined) writeError(`going on where ${statePath} says\n`);
  const file = new StateFile(statePath, clock);
  file.save(state, true);
  const logger = createLogger(found.plan.telemetry.logs, clock);
  const routes = new ExporterRoutes({ plan: found.plan, registry, clock, logger, dataDir: command.dataDir });
  const target = new ExporterTarget({
    ...{ routes, exporterId: found.exporterId, limits: state.limits, archive: source.store.name, clock },
    ...{ rate: command.rate, patienceMs: command.patienceMs },
  });
  try {
    return await replay(program, command, source, state, stop, { target, file, path: statePath });
  } finally {
    target.close();
    await routes.shutdown(clock.monotonicMs() + SHUTDOWN_MS);
  }
}

interface Destination {
  target: ExporterTarget;
  file: StateFile;
  path: string;
}

async function replay(
  program: SendingProgram,
  command: ReplayCommand,
  { store, prefix }: OpenSource,
  state: StoredReplay,
  stop: AbortController,
  destination?: Destination,
): Promise<number> {
  const { clock, writeOut, writeError } = program;
  const range: ArchiveRange = {
    ...{ prefix, timezone: command.timezone, after: state.after },
    fromMs: state.sinceUnixMs ?? Number.NEGATIVE_INFINITY,
    toMs: state.untilUnixMs ?? Number.POSITIVE_INFINITY,
  };
  const { counts } = state;
  const totals = countTotals(store, range);
  const progress = new ReadProgress({
    totalBytes: () => (totals.isKnown ? totals.bytes : 0),
    ...{ items: 'items', done: command.isDryRun ? 'read' : 'replayed', clock, write: writeError },
    lineEveryMs: LINE_EVERY_MS,
  });
  const startMs = clock.monotonicMs();
  const itemsBefore = itemsDelivered(counts);
  let readBytes = 0;
  const target: ReplayTarget = destination?.target ?? new DryTarget();
  const stops = destination === undefined ? [stop.signal] : [stop.signal, destination.target.gaveUp];
  const run = new ReplayRun({
    ...{ store, range, target, clock, counts, signals: command.signals },
    ...{ rate: command.rate, objectBytesMax: command.objectBytesMax },
    position: { after: state.after, partial: state.partial },
    stop: AbortSignal.any(stops),
    onRead: (bytes) => {
      readBytes += bytes;
      progress.show(readBytes, itemsDelivered(counts) - itemsBefore);
    },
    onMoved: (position) => {
      Object.assign(state, position);
      destination?.file.save(state, false);
    },
  });
  let isFinished: boolean;
  try {
    isFinished = await run.run();
  } catch (error) {
    progress.clear();
    throw error;
  } finally {
    destination?.file.save(state, true);
  }
  const outcome: ReplayOutcome = isFinished ? 'finished' : stop.signal.aborted ? 'stopped' : 'gave up';
  if (isFinished) destination?.file.remove();
  const seconds = (clock.monotonicMs() - startMs) / 1000;
  const itemsThisRun = itemsDelivered(counts) - itemsBefore;
  progress.end(itemsThisRun, seconds);
  const report = { outcome, command, counts, seconds, itemsThisRun, statePath: destination?.path };
  writeOut(command.isJson ? replayJson(report) : replayText(report));
  if (!isFinished) return EXIT_DEADLINE;
  return isComplete(counts) ? EXIT_OK : EXIT_PARTIAL;
}
