/** Counts of traces by service and outcome, with a few trace ids of each. */
import type { TrialCell, TrialPair } from '../../../component/sampling-trial.ts';

/** Outcomes a service can have at most: a key of two numbers fits into one. */
const OUTCOMES_MAX = 1 << 10;

export class TrialTally {
  readonly #cells = new Map<number, TrialPair>();
  readonly #examplesMax: number;

  constructor(examplesMax: number) {
    this.#examplesMax = examplesMax;
  }

  /** @param otherOutcome in the other policy file; 0 where there is none. */
  cell(service: number, outcome: number, otherOutcome = 0): TrialPair {
    const key = (service * OUTCOMES_MAX + outcome) * OUTCOMES_MAX + otherOutcome;
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { service, outcome, otherOutcome, traces: 0, spans: 0, bytes: 0, examples: [] };
      this.#cells.set(key, cell);
    }
    return cell;
  }

  add(cell: TrialCell, ids: Uint32Array, idAt: number, spans: number, bytes: number): void {
    cell.traces++;
    cell.spans += spans;
    cell.bytes += bytes;
    const { examples } = cell;
    const last = examples.at(-1);
    // The smallest ids: others would depend on the order in which shards are asked.
    if (examples.length === this.#examplesMax) {
      if (last === undefined || ids[idAt]! > Number.parseInt(last.slice(0, 8), 16)) return;
      const id = hexId(ids, idAt);
      if (id >= last) return;
      examples[examples.length - 1] = id;
    } else examples.push(hexId(ids, idAt));
    examples.sort();
  }

  list(): TrialPair[] {
    return [...this.#cells.values()];
  }
}

function hexId(ids: Uint32Array, at: number): string {
  let text = '';
  for (let word = at; word < at + 4; word++) text += ids[word]!.toString(16).padStart(8, '0');
  return text;
}
