/** How far a dry run is: a bar on a terminal, one line at the end elsewhere. */
import type { Clock } from '../stdx/clock.ts';
import type { SamplePlan } from './sample-task.ts';
import { bytesText, countText } from './sample-text.ts';

const BAR_WIDTH = 30;
const SHOWN_EVERY_MS = 100;
const CLEAR_LINE = '\r\u001b[K';

export class SampleProgress {
  readonly #totalBytes: number;
  readonly #clock: Clock;
  readonly #write: (text: string) => void;
  readonly #isTerminal: boolean;
  readonly #startMs: number;
  #shownMs = Number.NEGATIVE_INFINITY;

  /** @param isTerminal whether `write` reaches one. */
  constructor(
    plan: SamplePlan,
    clock: Clock,
    write: (text: string) => void,
    isTerminal = process.stderr.isTTY === true,
  ) {
    // How much a compressed file holds is not known before its end.
    this.#totalBytes = plan.kind === 'file' && plan.isGzip ? 0 : plan.sizeBytes;
    this.#clock = clock;
    this.#write = write;
    this.#isTerminal = isTerminal;
    this.#startMs = clock.monotonicMs();
  }

  show(bytes: number, spans: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#isTerminal || nowMs - this.#shownMs < SHOWN_EVERY_MS) return;
    this.#shownMs = nowMs;
    const seconds = (nowMs - this.#startMs) / 1000;
    const rate = `${countText(spans / seconds)} spans/s`;
    if (this.#totalBytes === 0) {
      this.#write(`${CLEAR_LINE}${bytesText(bytes)} read, ${rate}`);
      return;
    }
    const share = Math.min(bytes / this.#totalBytes, 1);
    const bar = '#'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
    const left = share > 0 ? `, ${Math.ceil((seconds / share) * (1 - share))} s left` : '';
    const of = `${bytesText(bytes)} of ${bytesText(this.#totalBytes)}`;
    this.#write(`${CLEAR_LINE}[${bar}] ${Math.floor(share * 100)} % ${of}, ${rate}${left}`);
  }

  end(spans: number, seconds: number): void {
    const rate = countText(spans / Math.max(seconds, 0.001));
    const start = this.#isTerminal ? CLEAR_LINE : '';
    this.#write(`${start}replayed ${countText(spans)} spans in ${seconds.toFixed(2)} s, ${rate} spans/s\n`);
  }
}
