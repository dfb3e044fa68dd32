/** Prefix codes of DEFLATE (RFC 1951, 3.2.2): lengths from frequencies, codes from lengths. */

/** Symbols of the largest alphabet. */
const SYMBOLS_MAX = 288;
/** The symbol below, its frequency above: one sort of numbers orders both. */
const SYMBOL_BITS = 9;
const SYMBOL_MASK = (1 << SYMBOL_BITS) - 1;
/** Longest code of DEFLATE. */
const LENGTH_MAX = 15;

// Used during a call only.
const packed = new Uint32Array(SYMBOLS_MAX);
const work = new Uint32Array(SYMBOLS_MAX);
const countByLength = new Uint32Array(SYMBOLS_MAX);
const nextCode = new Uint32Array(LENGTH_MAX + 2);

/**
 * Lengths of a code that is as short as `lengthMax` lets it be, or nearly. Symbols that do not occur get 0; at least two
 * get a length, because a code of one symbol is not complete and some readers refuse that.
 *
 * @param frequencies below 2^23 together: what is left of 32 bits beside the symbol.
 * @param lengths written, one for each frequency.
 */
export function chooseLengths(frequencies: Uint32Array, lengthMax: number, lengths: Uint8Array): void {
  let count = 0;
  for (let symbol = 0; symbol < frequencies.length; symbol++) {
    const frequency = frequencies[symbol]!;
    if (frequency > 0) packed[count++] = ((frequency << SYMBOL_BITS) | symbol) >>> 0;
  }
  lengths.fill(0);
  if (count < 2) {
    const only = count === 1 ? packed[0]! & SYMBOL_MASK : 0;
    lengths[only] = 1;
    lengths[only === 0 ? 1 : 0] = 1;
    return;
  }
  const order = packed.subarray(0, count).sort();
  for (let i = 0; i < count; i++) work[i] = order[i]! >>> SYMBOL_BITS;
  minimumRedundancy(count);
  countByLength.fill(0);
  for (let i = 0; i < count; i++) countByLength[work[i]!]!++;
  limitLengths(count, lengthMax);
  // The rarest symbols come first.
  for (let i = 0, length = lengthMax; length > 0; length--)
    for (let left = countByLength[length]!; left > 0; left--) lengths[order[i++]! & SYMBOL_MASK] = length;
}

/**
 * Turns ascending frequencies in `work` into the lengths of their codes, in place: A. Moffat and J. Katajainen, "In-place
 * calculation of minimum-redundancy codes" (1995).
 */
function minimumRedundancy(count: number): void {
  work[0]! += work[1]!;
  let [root, leaf] = [0, 2];
  // Sums of pairs, then indexes of parents.
  for (let next = 1; next < count - 1; next++) {
    if (leaf >= count || work[root]! < work[leaf]!) {
      work[next] = work[root]!;
      work[root++] = next;
    } else work[next] = work[leaf++]!;
    if (leaf >= count || (root < next && work[root]! < work[leaf]!)) {
      work[next]! += work[root]!;
      work[root++] = next;
    } else work[next]! += work[leaf++]!;
  }
  // Depths of inner nodes.
  work[count - 2] = 0;
  for (let next = count - 3; next >= 0; next--) work[next] = work[work[next]!]! + 1;
  // Depths of leaves.
  root = count - 2;
  let next = count - 1;
  for (let free = 1, depth = 0; free > 0; depth++) {
    let used = 0;
    for (; root >= 0 && work[root] === depth; root--) used++;
    for (; free > used; free--) work[next--] = depth;
    free = 2 * used;
  }
}

/** Shortens what is too long and lengthens other codes for it, until the code is complete again. */
function limitLengths(count: number, lengthMax: number): void {
  for (let length = lengthMax + 1; length < count; length++) {
    countByLength[lengthMax]! += countByLength[length]!;
    countByLength[length] = 0;
  }
  let used = 0;
  for (let length = 1; length <= lengthMax; length++) used += countByLength[length]! << (lengthMax - length);
  for (; used > 1 << lengthMax; used--) {
    let length = lengthMax - 1;
    while (countByLength[length] === 0) length--;
    countByLength[lengthMax]!--;
    countByLength[length]!--;
    countByLength[length + 1]! += 2;
  }
}

/** The codes that follow from the lengths, their bits in the order of the stream. */
export function assignCodes(lengths: Uint8Array, codes: Uint16Array): void {
  countByLength.fill(0, 0, LENGTH_MAX + 1);
  for (let symbol = 0; symbol < lengths.length; symbol++) countByLength[lengths[symbol]!]!++;
  countByLength[0] = 0;
  for (let length = 1; length <= LENGTH_MAX; length++)
    nextCode[length] = (nextCode[length - 1]! + countByLength[length - 1]!) << 1;
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    codes[symbol] = length === 0 ? 0 : reversed(nextCode[length]!++, length);
  }
}

function reversed(code: number, length: number): number {
  let bits = 0;
  for (let i = 0; i < length; i++) bits |= ((code >>> i) & 1) << (length - 1 - i);
  return bits;
}
