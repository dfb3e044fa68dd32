/** How far a replay is, in one small file that is replaced as a whole. */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../stdx/clock.ts';
import { replaceFileSync } from '../stdx/replace-file.ts';
import type { BatchLimits } from './replay-batches.ts';
import type { ReplayCommand } from './replay-cli.ts';
import type { ReplayCounts } from './replay-counts.ts';

const VERSION = 1;
/** Between two writes: what is in them can be sent again after a crash. */
const SAVED_EVERY_MS = 500;

export interface ReplayPosition {
  /** Everything up to this key is done with. */
  after: string;
  /** Of groups behind it: the batches that are delivered, as `DeliveredBatches` puts it. */
  partial: Record<string, string[]>;
}

export interface StoredReplay extends ReplayPosition {
  version: typeof VERSION;
  /** What the command wanted. */
  from: string;
  to: string;
  since: string;
  until: string;
  signals: readonly string[];
  /** As durations of the first call came out, in milliseconds since the epoch; null: no bound. */
  sinceUnixMs: number | null;
  untilUnixMs: number | null;
  /** Of each signal that was begun. */
  limits: Partial<Record<string, BatchLimits>>;
  counts: ReplayCounts;
}

/** Where the position of a command is kept unless the user names a file. */
export function defaultStatePath(command: ReplayCommand): string {
  const { from, to, sinceText, untilText, signals, timezone } = command;
  const words = JSON.stringify([from, to, sinceText, untilText, signals, timezone]);
  const hash = createHash('sha256').update(words).digest('hex').slice(0, 16);
  return join(command.dataDir, 'replay', `${hash}.json`);
}

/**
 * @returns undefined when there is none.
 * @throws Error when there is something else than a position, or that of another command.
 */
export function readState(path: string, command: ReplayCommand): StoredReplay | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const state = parseState(text);
  if (state === undefined) throw new Error(`${path} holds no position of a replay; --restart begins anew`);
  const isSame =
    state.from === command.from &&
    state.to === command.to &&
    state.since === command.sinceText &&
    state.until === command.untilText &&
    state.signals.join() === command.signals.join();
  if (!isSame) {
    const other = `--from ${state.from} --to ${state.to}`;
    throw new Error(`${path} holds the position of another replay (${other}); --restart begins anew`);
  }
  return state;
}

function parseState(text: string): StoredReplay | undefined {
  try {
    const state = JSON.parse(text) as Partial<StoredReplay> | null;
    const isState =
      state?.version === VERSION && typeof state.after === 'string' && Array.isArray(state.signals);
    return isState ? (state as StoredReplay) : undefined;
  } catch {
    return undefined;
  }
}

export class StateFile {
  readonly #path: string;
  readonly #clock: Clock;
  #savedMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** On disk when it returns, or left out because the last one is young. */
  save(state: StoredReplay, isUrgent: boolean): void {
    const nowMs = this.#clock.monotonicMs();
    if (!isUrgent && nowMs - this.#savedMs < SAVED_EVERY_MS) return;
    this.#savedMs = nowMs;
    replaceFileSync(this.#path, JSON.stringify(state));
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
