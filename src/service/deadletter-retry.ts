/** Sends dead letters again through the exporters of a configuration. Works beside a running engine. */
import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { decodeClientContext } from '../component/client-context.ts';
import { PipelineError } from '../component/errors.ts';
import type { ExportBatch } from '../component/exporter.ts';
import type { Signal } from '../component/signal.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { RETRIED_SUFFIX } from '../exporters/helper/dead-letters.ts';
import type { FailedPart } from '../exporters/helper/poison.ts';
import { lockDataDirectory } from '../queue/log/data-lock.ts';
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { DeadletterCommand } from './deadletter-cli.ts';
import { deadLetterRoot } from './deadletter-directory.ts';
import {
  isSelected,
  type LetterFile,
  noteRetried,
  readLetterFile,
  type StoredLetter,
} from './deadletter-files.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { type ExporterRoute, ExporterRoutes, sendToEnd } from './exporter-routes.ts';

const BATCH_ITEMS_MAX = 1_000;
const BATCH_BYTES_MAX = 4 << 20;
/** A backend that cannot be reached for so long is left for another time. */
const BATCH_PATIENCE_MS = 60_000;
const SHUTDOWN_MS = 5_000;

export interface RetryProgram {
  command: DeadletterCommand;
  plan: CollectorPlan;
  files: readonly LetterFile[];
  storageDirectories: readonly string[];
  registry: Registry;
  clock: Clock;
  writeOut(text: string): void;
  writeError(text: string): void;
  onSignal(onStop: (signal: string) => void): void;
}

interface Tally {
  delivered: number;
  refused: number;
  left: number;
}

class RetryRun {
  readonly #program: RetryProgram;
  readonly #stop = new AbortController();
  readonly #routes: ExporterRoutes;
  readonly #broken = new Set<string>();
  readonly #tallies = new Map<string, Tally>();

  constructor(program: RetryProgram) {
    this.#program = program;
    const { plan, registry, clock, command } = program;
    const logger = createLogger(plan.telemetry.logs, clock);
    this.#routes = new ExporterRoutes({ plan, registry, clock, logger, dataDir: command.dataDir });
    program.onSignal(() => this.#stop.abort());
  }

  /** True when nothing is left. */
  async run(): Promise<boolean> {
    try {
      for (const file of this.#program.files) await this.#retryFile(file);
    } finally {
      await this.#routes.shutdown(this.#program.clock.monotonicMs() + SHUTDOWN_MS);
    }
    const tallies = [...this.#tallies];
    for (const [key, { delivered, refused, left }] of tallies) {
      const rest = `${refused} refused again, ${left} not delivered`;
      this.#program.writeOut(`${key}: ${delivered} delivered, ${rest}\n`);
    }
    if (tallies.length === 0) this.#program.writeOut('no dead letters\n');
    return tallies.every(([, { refused, left }]) => refused + left === 0);
  }

  async #retryFile(file: LetterFile): Promise<void> {
    const { command } = this.#program;
    const { letters } = await readLetterFile(file.path);
    const wanted = letters.filter(
      ({ line, letter }) =>
        isSelected(command.ids, file.id, line) &&
        (command.exporter === undefined || command.exporter === letter.exporter),
    );
    for (const group of groupLetters(wanted)) await this.#retryGroup(file, group);
  }

  /** Letters of one exporter and signal. */
  async #retryGroup(file: LetterFile, group: readonly StoredLetter[]): Promise<void> {
    const { exporter, signal } = group[0]!.letter;
    const key = `${exporter} ${signal}`;
    const tally = this.#tallies.get(key) ?? { delivered: 0, refused: 0, left: 0 };
    this.#tallies.set(key, tally);
    const route = await this.#route(exporter, signal);
    const failed = route === undefined ? undefined : await this.#send(route, toBatch(group), signal);
    if (failed === undefined) {
      tally.left += group.length;
      return;
    }
    const isRefused = (index: number) => failed.some(({ from, to }) => index >= from && index < to);
    const delivered = group.filter((_, index) => !isRefused(index));
    tally.delivered += delivered.length;
    tally.refused += group.length - delivered.length;
    if (delivered.length > 0)
      noteRetried(
        file.path,
        delivered.map(({ line }) => line),
      );
  }

  /** What was refused again; undefined when the batch could not be brought to an end. */
  #send(route: ExporterRoute, batch: ExportBatch, signal: Signal): Promise<FailedPart[] | undefined> {
    const stop = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(BATCH_PATIENCE_MS)]);
    return sendToEnd(route, batch, `where they were (${signal})`, this.#program.clock, stop);
  }

  /** undefined for one that cannot be started, which is said once. */
  async #route(id: string, signal: Signal): Promise<ExporterRoute | undefined> {
    const key = `${id} ${signal}`;
    if (this.#broken.has(key)) return undefined;
    return this.#routes.route(id, signal).catch((error: unknown) => {
      this.#broken.add(key);
      const message = error instanceof PipelineError ? error.message : String(error);
      this.#program.writeError(`error: exporter ${id} (${signal}): ${message}\n`);
      return undefined;
    });
  }
}

/** Runs of neighbours of one exporter, signal and client, small enough for one request. */
function* groupLetters(letters: readonly StoredLetter[]): Generator<StoredLetter[]> {
  let group: StoredLetter[] = [];
  let bytes = 0;
  for (const stored of letters) {
    const first = group[0]?.letter;
    const isSame =
      first?.exporter === stored.letter.exporter &&
      first.signal === stored.letter.signal &&
      first.client === stored.letter.client;
    const size = stored.letter.request.length;
    if (
      first !== undefined &&
      (!isSame || group.length >= BATCH_ITEMS_MAX || bytes + size > BATCH_BYTES_MAX)
    ) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(stored);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

/** The same letters have the same batch id when they are sent once more, so that a backend can drop the repeat. */
function toBatch(group: readonly StoredLetter[]): ExportBatch {
  const [first] = group as [StoredLetter];
  const slices = group.map(({ letter }) => new Uint8Array(Buffer.from(letter.request, 'base64')));
  return {
    signal: first.letter.signal,
    batchId: `${first.letter.batch_id}_retry-${first.line}-${group.at(-1)!.line}`,
    slices,
    itemCount: group.length,
    sizeBytes: slices.reduce((sum, slice) => sum + slice.byteLength, 0),
    receivedUnixMs: Date.parse(first.letter.time) || 0,
    ...clientOf(first),
  };
}

/** A letter of an exporter that parts by client is for that client alone. */
function clientOf({ letter }: StoredLetter): Pick<ExportBatch, 'client'> {
  if (typeof letter.client !== 'string') return {};
  return { client: decodeClientContext(Buffer.from(letter.client, 'base64')) };
}

/** Two commands at a time would send everything twice. */
async function withLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const lock = await lockDataDirectory(directory);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** Removes files without anything left; the newest only when no engine runs that may append to it. */
async function removeEmpty(storage: string, files: readonly LetterFile[]): Promise<void> {
  const own = files.filter(({ path }) => dirname(dirname(path)) === deadLetterRoot(storage));
  const remove = async (candidates: readonly LetterFile[]) => {
    for (const { path } of candidates) {
      const { letters, damagedCount } = await readLetterFile(path);
      if (letters.length > 0 || damagedCount > 0) continue;
      await unlink(path).catch(() => undefined);
      await unlink(path + RETRIED_SUFFIX).catch(() => undefined);
    }
  };
  await remove(own.filter(({ isNewest }) => !isNewest));
  const newest = own.filter(({ isNewest }) => isNewest);
  if (newest.length === 0) return;
  try {
    await withLock(storage, () => remove(newest));
  } catch {
    // The engine runs: the file goes with the next one that replaces it.
  }
}

/** @returns the exit code: 0 when everything that was asked for is delivered. */
export async function retryDeadLetters(program: RetryProgram): Promise<number> {
  const { files, storageDirectories } = program;
  if (files.length === 0) {
    program.writeOut('no dead letters\n');
    return EXIT_OK;
  }
  const roots = storageDirectories
    .map(deadLetterRoot)
    .filter((root) => files.some(({ path }) => dirname(dirname(path)) === root));
  const locked = roots.reduceRight(
    (inner, root) => () => withLock(root, inner),
    async () => {
      const isDone = await new RetryRun(program).run();
      for (const storage of storageDirectories) await removeEmpty(storage, files);
      return isDone;
    },
  );
  try {
    return (await locked()) ? EXIT_OK : EXIT_CONFIG;
  } catch (error) {
    const message = error instanceof PipelineError ? error.message : String(error);
    program.writeError(`error: ${message}\n`);
    return EXIT_CONFIG;
  }
}
