/**
 * `millrace top`: looks at the scrape endpoint once a second. On a terminal it draws a screen and listens to keys; else
 * it writes plain lines, a blank one after each look.
 */
import type { Clock } from '../stdx/clock.ts';
import { type Figures, figuresOf } from './figures.ts';
import { fetchScrape, type TimedScrape } from './scrape-source.ts';
import { plainLines, SORT_KEYS, type SortKey, screenLines } from './view.ts';

export interface TopTerminal {
  /** false: plain lines. */
  isTerminal: boolean;
  columns: number;
  rows: number;
  write(text: string): void;
  writeError(text: string): void;
  /** Single keys as typed, and `q` when the terminal is gone or the process shall end. @returns how to stop listening. */
  listen(onKey: (key: string) => void): () => void;
}

export interface TopOptions {
  endpoint: URL;
  /** Looks after which it ends by itself; undefined goes on until `q`. */
  count: number | undefined;
  clock: Clock;
  terminal(): TopTerminal;
}

const INTERVAL_MS = 1000;
const ENTER_SCREEN = '\u001b[?1049h\u001b[?25l';
const LEAVE_SCREEN = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

const SORT_OF_KEY: ReadonlyMap<string, SortKey> = new Map([
  ['r', 'rate'],
  ['f', 'refused'],
  ['w', 'queue'],
  ['l', 'latency'],
  ['n', 'name'],
]);

class TopLoop {
  readonly #options: TopOptions;
  readonly #terminal: TopTerminal;
  #sort: SortKey = 'rate';
  #last: TimedScrape | undefined;
  #figures: Figures | undefined;
  #trouble: string | undefined;
  #looks = 0;
  #isEnding = false;
  #wake: (() => void) | undefined;

  constructor(options: TopOptions) {
    this.#options = options;
    this.#terminal = options.terminal();
  }

  /** @returns whether it ever saw figures. */
  async run(): Promise<boolean> {
    const { isTerminal, write } = this.#terminal;
    const stopListening = this.#terminal.listen((key) => this.#key(key));
    if (isTerminal) write(ENTER_SCREEN);
    try {
      while (!this.#isEnding) {
        const dueMs = this.#options.clock.monotonicMs() + INTERVAL_MS;
        await this.#look();
        if (this.#options.count !== undefined && this.#looks >= this.#options.count) break;
        await this.#pause(dueMs);
      }
    } finally {
      stopListening();
      if (isTerminal) write(LEAVE_SCREEN);
    }
    return this.#last !== undefined;
  }

  #key(key: string): void {
    if (key === 'q' || key === '\u0003') {
      this.#isEnding = true;
      this.#wake?.();
      return;
    }
    const next = SORT_KEYS[(SORT_KEYS.indexOf(this.#sort) + 1) % SORT_KEYS.length]!;
    const wanted = key === 's' ? next : SORT_OF_KEY.get(key);
    if (wanted === undefined) return;
    this.#sort = wanted;
    this.#draw();
  }

  /** Rates need two scrapes: the first look shows nothing and does not count. */
  async #look(): Promise<void> {
    try {
      const scrape = await fetchScrape(this.#options.endpoint, () => this.#options.clock.monotonicMs());
      const before = this.#last;
      this.#last = scrape;
      this.#trouble = undefined;
      if (before === undefined) return this.#draw();
      this.#figures = figuresOf(before.scrape, scrape.scrape, (scrape.atMs - before.atMs) / 1000);
    } catch (error) {
      this.#trouble = (error as Error).message;
    }
    this.#looks += 1;
    if (this.#isEnding) return;
    if (this.#terminal.isTerminal) this.#draw();
    else if (this.#trouble !== undefined) this.#terminal.writeError(`${this.#trouble}\n`);
    else if (this.#figures !== undefined) this.#terminal.write(`${plainLines(this.#figures).join('\n')}\n\n`);
  }

  #draw(): void {
    const { isTerminal, columns, rows } = this.#terminal;
    if (!isTerminal || this.#isEnding) return;
    const endpoint = this.#options.endpoint.href;
    const view = { endpoint, sort: this.#sort, columns, rows, trouble: this.#trouble };
    const lines = screenLines(this.#figures, view);
    this.#terminal.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`);
  }

  async #pause(dueMs: number): Promise<void> {
    const waitMs = dueMs - this.#options.clock.monotonicMs();
    if (waitMs <= 0 || this.#isEnding) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

/** @returns whether the endpoint ever answered with metrics. */
export async function runTop(options: TopOptions): Promise<boolean> {
  return new TopLoop(options).run();
}
