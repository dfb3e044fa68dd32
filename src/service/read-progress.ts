/** How far a command is that reads a lot: a bar on a terminal, now and then a line elsewhere when that is wanted. */
import type { Clock } from '../stdx/clock.ts';
import { bytesText, countText } from './sample-text.ts';

const BAR_WIDTH = 30;
const SHOWN_EVERY_MS = 100;
const CLEAR_LINE = '\r\u001b[K';

export interface ReadProgressOptions {
  /** 0: not known. */
  totalBytes(): number;
  /** What is counted: `spans`. */
  items: string;
  /** What has been done with them at the end: `replayed`. */
  done: string;
  clock: Clock;
  write(text: string): void;
  /** Whether `write` reaches one. */
  isTerminal?: boolean;
  /** Where there is no terminal: a line so often. Absent: only the one at the end. */
  lineEveryMs?: number;
}

export class ReadProgress {
  readonly #options: ReadProgressOptions;
  readonly #isTerminal: boolean;
  readonly #startMs: number;
  #shownMs: number;

  constructor(options: ReadProgressOptions) {
    this.#options = options;
    this.#isTerminal = options.isTerminal ?? process.stderr.isTTY === true;
    this.#startMs = options.clock.monotonicMs();
    this.#shownMs = this.#isTerminal ? Number.NEGATIVE_INFINITY : this.#startMs;
  }

  /** @param items read so far; cheap enough to be called for every batch. */
  show(bytes: number, items: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    const everyMs = this.#isTerminal
      ? SHOWN_EVERY_MS
      : (this.#options.lineEveryMs ?? Number.POSITIVE_INFINITY);
    if (nowMs - this.#shownMs < everyMs) return;
    this.#shownMs = nowMs;
    const text = this.#text(bytes, items, (nowMs - this.#startMs) / 1000);
    this.#options.write(this.#isTerminal ? `${CLEAR_LINE}${text}` : `${text}\n`);
  }

  #text(bytes: number, items: number, seconds: number): string {
    const rate = `${countText(items / Math.max(seconds, 0.001))} ${this.#options.items}/s`;
    const totalBytes = this.#options.totalBytes();
    if (totalBytes === 0) return `${bytesText(bytes)} read, ${rate}`;
    const share = Math.min(bytes / totalBytes, 1);
    const bar = '#'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
    const left = share > 0 ? `, ${Math.ceil((seconds / share) * (1 - share))} s left` : '';
    const of = `${bytesText(bytes)} of ${bytesText(totalBytes)}`;
    const start = this.#isTerminal ? `[${bar}] ` : '';
    return `${start}${Math.floor(share * 100)} % ${of}, ${rate}${left}`;
  }

  end(items: number, seconds: number): void {
    const { done, items: name, write } = this.#options;
    const rate = countText(items / Math.max(seconds, 0.001));
    const start = this.#isTerminal ? CLEAR_LINE : '';
    write(`${start}${done} ${countText(items)} ${name} in ${seconds.toFixed(2)} s, ${rate} ${name}/s\n`);
  }

  /** Takes the bar away, for a line of something else. */
  clear(): void {
    if (this.#isTerminal) this.#options.write(CLEAR_LINE);
  }
}
