/**
 * The client's own account of what a server acknowledged: one line `run producer seq items` a request, appended
 * only after the success answer was read. Whoever checks for loss compares it with what arrived.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

export interface Ledger {
  acked(producer: number, seq: number, items: number): void;
  close(): void;
}

export class FileLedger implements Ledger {
  readonly #fd: number;
  readonly #run: string;

  /** Several producers may append to one file: each line is one write. */
  constructor(path: string, run: string) {
    this.#fd = openSync(path, 'a');
    this.#run = run;
  }

  acked(producer: number, seq: number, items: number): void {
    writeSync(this.#fd, `${this.#run} ${producer} ${seq} ${items}\n`);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export interface LedgerLine {
  readonly run: string;
  readonly producer: number;
  readonly seq: number;
  readonly items: number;
}

/** Lines of a ledger. A last line without its newline was cut off by a crash of the client and does not count. */
export function readLedger(path: string): LedgerLine[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  lines.pop();
  return lines.map((line) => {
    const [run = '', producer, seq, items] = line.split(' ');
    return { run, producer: Number(producer), seq: Number(seq), items: Number(items) };
  });
}
