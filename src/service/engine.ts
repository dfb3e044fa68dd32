/** From a command line and a checked configuration to a running service: directories, locks, limits, threads. */
import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { PipelineError } from '../component/errors.ts';
import type { Logger } from '../component/settings.ts';
import type { Readiness } from '../component/status.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import type { LogDescriptor, LogLimits } from '../queue/log/contract.ts';
import { type DataLock, lockDataDirectory } from '../queue/log/data-lock.ts';
import { prepareLog } from '../queue/log/prepare.ts';
import { recordStart } from '../queue/log/start-record.ts';
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { adopterOf } from './adopted-logs.ts';
import type { RunCommand } from './cli.ts';
import type { DataPath } from './data-path.ts';
import { type MemoryPart, memoryBudget } from './memory-budget.ts';
import { FLUSH_TIMEOUT_MS } from './messages.ts';
import { orphanCursors } from './orphan-cursors.ts';
import { rememberStorages } from './orphan-logs.ts';
import { reportOrphanedCursors, reportOrphanedLogs } from './orphan-report.ts';
import { Service } from './service.ts';
import { planThreads, type ThreadPlan } from './thread-plan.ts';

/** Most that waiting data may take on disk unless `--disk-budget` says otherwise. */
const DISK_BUDGET_BYTES = 16 * 2 ** 30;
const RESERVE_SHARE = 0.05;
const RESERVE_BYTES_MIN = 64 << 20;
const SEGMENT_BYTES = 256 << 20;
/** Measured best between commits that wait for memory and records that are read for one request. */
const RECORD_BYTES = 512 << 10;

export interface EngineOptions {
  command: RunCommand;
  plan: CollectorPlan;
  registry: Registry;
  clock: Clock;
  logger: Logger;
  version: string;
  failpoints: string | undefined;
  onFatal(error: PipelineError): void;
}

/** Size of the file system that a directory is on, or will be on; Infinity where it cannot be told. */
function fileSystemBytes(directory: string): number {
  try {
    const stats = statfsSync(directory);
    return stats.blocks * stats.bsize;
  } catch {
    const parent = dirname(directory);
    return parent === directory ? Number.POSITIVE_INFINITY : fileSystemBytes(parent);
  }
}

/** The reserve follows the smaller of budget and disk: of the budget alone it could be more than a small disk has. */
function logLimits(budgetBytes: number, dataDir: string): LogLimits {
  const reserveBytes = Math.round(Math.min(budgetBytes, fileSystemBytes(dataDir)) * RESERVE_SHARE);
  return {
    budgetBytes,
    reserveBytes: Math.max(reserveBytes, RESERVE_BYTES_MIN),
    segmentBytes: SEGMENT_BYTES,
    recordBytes: RECORD_BYTES,
    flushTimeoutMs: FLUSH_TIMEOUT_MS,
  };
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A file in the way of the directory is told by whoever makes the directory.
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    const message = `cannot read ${directory}: ${(error as Error).message}`;
    throw new PipelineError('START_FAILED', message, { permanent: true, cause: error });
  }
}

/** A running engine and everything it holds. */
export class Engine {
  readonly dataDir: string;
  readonly #options: EngineOptions;
  readonly #service: Service;
  readonly #locks: DataLock[] = [];
  readonly #isDurable: boolean;
  readonly #workers = Math.max(availableParallelism() - 1, 1);
  #orphanSearch = new AbortController();
  #memoryParts: readonly MemoryPart[] = [];
  #isCrashLoop = false;
  #confirmStart: (() => void) | undefined;

  /** @throws PipelineError when the plan cannot be laid out; nothing was opened then. */
  constructor(options: EngineOptions) {
    const { command, plan } = options;
    this.#options = options;
    this.#isDurable = command.durability === 'disk';
    this.dataDir = this.#isDurable ? resolve(command.dataDir) : mkdtempSync(join(tmpdir(), 'millrace-'));
    this.#planThreads(plan);
    this.#service = new Service({
      ...options,
      dataDir: this.dataDir,
      isDurable: this.#isDurable,
      planThreads: (next) => this.#planThreads(next),
      prepareLogs: (path) => this.#prepareLogs(path),
      logsAreOpen: (path, next) => {
        this.#reportMemory(path, next);
        this.#reportOrphans(path);
      },
    });
  }

  /** @throws PipelineError naming what is wrong; nothing keeps running then. */
  async start(): Promise<void> {
    try {
      await this.#lock(this.dataDir);
      const record = recordStart(this.dataDir, this.#options.clock);
      this.#confirmStart = record.confirm;
      this.#isCrashLoop = record.isCrashLoop;
      if (record.isCrashLoop) {
        this.#options.logger.error(
          'three starts died early: log segments that were not closed in order are set aside',
        );
      }
      await this.#service.start(this.#options.plan);
      // Every segment passed its scan and is open in its threads: a death from here on has another reason, and must
      // not add up with others to a start that sets acknowledged data aside.
      record.confirm();
      this.#isCrashLoop = false;
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  /**
   * Goes over to a checked configuration.
   * @throws PipelineError when it cannot be started; the old one runs on, or `onFatal` was told.
   */
  async reload(plan: CollectorPlan): Promise<void> {
    // What cannot even be laid out must not stop anything.
    this.#planThreads(plan);
    await this.#service.reload(plan);
  }

  reloaded(outcome: 'success' | 'unchanged' | 'failed'): void {
    this.#service.reportReload(outcome);
  }

  /** Everything acknowledged is on disk when it returns. */
  async stop(deadlineMs: number): Promise<void> {
    this.#orphanSearch.abort();
    await this.#service.stop(deadlineMs);
    await this.#release();
  }

  /** After a fatal error: clients that wait get their answers before the process ends. */
  abandon(deadlineMs: number): Promise<void> {
    return this.#service.abandon(deadlineMs);
  }

  /** Upper bound of the memory, by part, for what runs now. */
  get memoryParts(): readonly MemoryPart[] {
    return this.#memoryParts;
  }

  readiness(): Readiness {
    return this.#service.readiness();
  }

  async #release(): Promise<void> {
    this.#confirmStart?.();
    await Promise.all(this.#locks.splice(0).map((lock) => lock.release()));
    this.removeTemporaryFiles();
  }

  /** For ends without a stop: a temporary directory must not outlive the process. */
  removeTemporaryFiles(): void {
    if (this.#isDurable) return;
    // A worker that is still opening its logs may put a file into a directory that was just emptied.
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  #planThreads(plan: CollectorPlan): ThreadPlan {
    const { command, registry } = this.#options;
    return planThreads(plan, registry, {
      dataDir: this.dataDir,
      isDurable: this.#isDurable,
      pipelineWorkers: command.workerCount ?? this.#workers,
      exporterWorkers: this.#workers,
      limits: logLimits(command.diskBudgetBytes ?? DISK_BUDGET_BYTES, this.dataDir),
      retain: command.retain,
      listNames,
      orphanCursors,
      adopterOf,
    });
  }

  #reportMemory({ threads, meter }: DataPath, plan: CollectorPlan): void {
    this.#memoryParts = memoryBudget(plan, threads, this.#options.registry);
    for (const { part, bytes } of this.#memoryParts)
      meter.gauge('millrace_memory_budget_bytes', { part }).set(bytes);
  }

  /** Of every earlier configuration of this data directory; those of the temporary one have none. */
  #reportOrphans(path: DataPath): void {
    const { logger } = this.#options;
    this.#orphanSearch.abort();
    this.#orphanSearch = new AbortController();
    const { threads, meter } = path;
    reportOrphanedCursors(threads, logger, meter);
    const logs = threads.logsByWorker.flat();
    const own = new Set(logs.map(({ directory }) => dirname(dirname(directory))));
    try {
      const storages = rememberStorages(this.dataDir, [...new Set([this.dataDir, ...own])]);
      const { signal } = this.#orphanSearch;
      reportOrphanedLogs(storages, own.add(this.dataDir), threads, logger, meter, signal).catch(
        (error: unknown) => this.#orphansUnknown(error),
      );
    } catch (error) {
      this.#orphansUnknown(error);
    }
  }

  /** Not worth a failed start: what is there stays there. */
  #orphansUnknown(error: unknown): void {
    const { logger } = this.#options;
    logger.warn('logs of earlier configurations could not be looked for', { error: String(error) });
  }

  async #lock(directory: string): Promise<void> {
    if (this.#locks.some((lock) => lock.directory === directory)) return;
    this.#locks.push(await lockDataDirectory(directory));
  }

  /** Storage extensions have made their directories by now; no worker has opened a log yet. */
  async #prepareLogs(path: DataPath): Promise<void> {
    for (const log of path.threads.logsByWorker.flat()) {
      await this.#lock(dirname(dirname(log.directory)));
      await this.#prepareLog(log, path);
    }
  }

  async #prepareLog(log: LogDescriptor, path: DataPath): Promise<void> {
    const { clock, logger } = this.#options;
    const found = await prepareLog({
      logId: log.logId,
      directory: log.directory,
      cursorNames: log.isPending === true ? [] : log.cursorNames,
      clock,
      logger,
      setAllAside: this.#isCrashLoop,
    });
    // Shown on the scrape, so that a segment set aside is noticed by more than a log line.
    path.meter.gauge('millrace_log_segments_quarantined', { log: log.logId }).set(found.quarantined.length);
    if (found.segmentCount === 0) return;
    logger.info('log holds data of an earlier run', {
      log: log.logId,
      bytes: found.sizeBytes,
      segments: found.segmentCount,
      scanned: found.scannedCount,
    });
  }
}
