/** Counts of traces by service and outcome, with a few trace ids of each. */
import type { TrialPair } from '../../../component/sampling-trial.ts';

/** Outcomes a policy file can have at most: a key of two of them stays a small integer. */
const OUTCOMES_MAX = 1 << 14;
const ID_MAX = 0xffff_ffff;

export class TallyCell {
  readonly counts: TrialPair;
  /** Ids whose first word is larger are no examples any more. */
  idMax = ID_MAX;

  constructor(service: number, outcome: number, otherOutcome: number) {
    this.counts = { service, outcome, otherOutcome, traces: 0, spans: 0, bytes: 0, examples: [] };
  }
}

export class TrialTally {
  readonly #services = new Map<number, Map<number, TallyCell>>();
  readonly #examplesMax: number;

  constructor(examplesMax: number) {
    this.#examplesMax = examplesMax;
  }

  /** @param otherOutcome in the other policy file; 0 where there is none. */
  cell(service: number, outcome: number, otherOutcome = 0): TallyCell {
    let cells = this.#services.get(service);
    if (cells === undefined) {
      cells = new Map();
      this.#services.set(service, cells);
    }
    const key = outcome * OUTCOMES_MAX + otherOutcome;
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = new TallyCell(service, outcome, otherOutcome);
      cells.set(key, cell);
    }
    return cell;
  }

  add(cell: TallyCell, ids: Uint32Array, idAt: number, spans: number, bytes: number): void {
    const { counts } = cell;
    counts.traces++;
    counts.spans += spans;
    counts.bytes += bytes;
    // The smallest ids: others would depend on the order in which shards are asked.
    if (ids[idAt]! <= cell.idMax) this.#addExample(cell, hexId(ids, idAt));
  }

  #addExample(cell: TallyCell, id: string): void {
    const { examples } = cell.counts;
    if (this.#examplesMax === 0) return;
    examples.push(id);
    examples.sort();
    if (examples.length > this.#examplesMax) examples.pop();
    if (examples.length === this.#examplesMax) cell.idMax = Number.parseInt(examples.at(-1)!.slice(0, 8), 16);
  }

  list(): TrialPair[] {
    return [...this.#services.values()].flatMap((cells) => [...cells.values()].map(({ counts }) => counts));
  }
}

function hexId(ids: Uint32Array, at: number): string {
  let text = '';
  for (let word = at; word < at + 4; word++) text += ids[word]!.toString(16).padStart(8, '0');
  return text;
}
