/** Which ranges of the pending log are read again, and what of them went on before. */
import type { SamplingPass } from './journal.ts';

interface EarlyRange {
  first: number;
  end: number;
  /** Step in which it was read. */
  step: number;
}

/** Early passes that were made over what has not been read for the last time. */
export class EarlyRanges {
  readonly #ranges: EarlyRange[] = [];

  add(first: number, end: number, step: number): void {
    this.#ranges.push({ first, end, step });
    this.#ranges.sort((a, b) => a.first - b.first);
  }

  dropBefore(ordinal: number): void {
    while (this.#ranges[0] !== undefined && this.#ranges[0].end <= ordinal) this.#ranges.shift();
  }

  /** Adds the last pass over [first, end), cut where early passes were made over parts of it. */
  addFinal(passes: SamplingPass[], first: number, end: number, untilStep: number): void {
    let at = first;
    for (const range of this.#ranges) {
      if (range.end <= at) continue;
      if (range.first >= end) break;
      if (range.first > at)
        addPass(passes, { first: at, end: range.first, afterStep: 0, untilStep, isPartial: false });
      const stop = Math.min(range.end, end);
      addPass(passes, {
        first: Math.max(at, range.first),
        end: stop,
        afterStep: range.step,
        untilStep,
        isPartial: false,
      });
      at = stop;
    }
    if (at < end) addPass(passes, { first: at, end, afterStep: 0, untilStep, isPartial: false });
  }

  /** Adds an early pass over what of [first, end) had none yet. */
  addPartial(passes: SamplingPass[], first: number, end: number, untilStep: number): void {
    let at = first;
    for (const range of this.#ranges) {
      if (range.end <= at) continue;
      if (range.first >= end) break;
      if (range.first > at)
        addPass(passes, { first: at, end: range.first, afterStep: 0, untilStep, isPartial: true });
      at = range.end;
    }
    if (at < end) addPass(passes, { first: at, end, afterStep: 0, untilStep, isPartial: true });
  }
}

function addPass(passes: SamplingPass[], pass: SamplingPass): void {
  const last = passes.at(-1);
  const joins = last?.end === pass.first && last.afterStep === pass.afterStep;
  if (joins && last.isPartial === pass.isPartial) last.end = pass.end;
  else passes.push(pass);
}
