/** Finds what a misspelt key, type or flag was probably meant to be. */

/** Candidates longer than this are not compared: the distance costs length times length. */
const COMPARED_CHARACTERS_MAX = 64;

/**
 * @returns the candidate closest to `text`, or undefined when none is close: at most a third of the
 * characters, and at least one, may differ.
 */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  if (text.length > COMPARED_CHARACTERS_MAX) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(fold(text).length / 3)) + 1;
  for (const candidate of candidates) {
    if (candidate.length > COMPARED_CHARACTERS_MAX || candidate === text) continue;
    const distance = editDistance(fold(text), fold(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)`, or nothing. */
export function didYouMean(text: string, candidates: Iterable<string>): string {
  const guess = nearest(text, candidates);
  return guess === undefined ? '' : ` (did you mean "${guess}"?)`;
}

/** `sendBatchSize`, `send-batch-size` and `send_batch_size` are the same mistake away from each other: none. */
function fold(text: string): string {
  return text.toLowerCase().replaceAll('-', '').replaceAll('_', '');
}

/** Insertions, deletions, substitutions and swaps of neighbours cost one each. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, beforePrevious[column - 2]! + 1);
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}
