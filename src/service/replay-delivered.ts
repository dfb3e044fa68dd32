/** Which batches of a group are delivered: runs from the first one on, and the few behind a gap. */

interface Epoch {
  /** All numbers below it. */
  upTo: number;
  readonly behind: Set<number>;
}

export class DeliveredBatches {
  readonly #epochs = new Map<number, Epoch>();

  /** @param stored of `toStored`; what is none of it is left out. */
  constructor(stored: readonly string[]) {
    for (const text of stored) {
      const [epoch, upTo, behind = ''] = text.split(':');
      const numbers = behind.split(',').filter(Boolean).map(Number);
      const isGood = [Number(epoch), Number(upTo), ...numbers].every(Number.isSafeInteger);
      if (isGood) this.#epochs.set(Number(epoch), { upTo: Number(upTo), behind: new Set(numbers) });
    }
  }

  has(epoch: number, number: number): boolean {
    const found = this.#epochs.get(epoch);
    return found !== undefined && (number < found.upTo || found.behind.has(number));
  }

  add(epoch: number, number: number): void {
    const found = this.#epochs.get(epoch) ?? { upTo: 0, behind: new Set() };
    this.#epochs.set(epoch, found);
    found.behind.add(number);
    while (found.behind.delete(found.upTo)) found.upTo++;
  }

  /** `epoch:run:others`, one text for each epoch. */
  toStored(): string[] {
    return [...this.#epochs].map(([epoch, { upTo, behind }]) => `${epoch}:${upTo}:${[...behind].join(',')}`);
  }
}
