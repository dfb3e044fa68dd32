/** Blocks of DEFLATE (RFC 1951): the tables of lengths and distances, codes of each block, and the head that tells them. */
import {
  COPY_BYTES_MAX,
  type DeflateLoops,
  DISTANCES,
  END_OF_BLOCK,
  LITERALS,
  WORD_SHIFT,
} from './deflate-loops.ts';
import { assignCodes, chooseLengths } from './prefix-codes.ts';

const LENGTH_SYMBOLS = END_OF_BLOCK + 1;
const LENGTH_MIN = 3;
const CODE_BITS_MAX = 15;
const RUN_CODE_BITS_MAX = 7;
/** The order in which lengths of the runs' codes are written. */
const RUN_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const REPEAT = 16;
const ZEROS = 17;
const MANY_ZEROS = 18;
/** By the symbols above: how many extra bits, and the shortest and longest run. */
const RUN_EXTRA_BITS = [2, 3, 7];
const RUN_MIN = [3, 3, 11];
const RUN_MAX = [6, 10, 138];
/** First bits of a block, the type above the mark of the last one. */
const OWN_CODES = 0b100;
const LAST_FIXED_CODES = 0b011;

/** By length: the index of its symbol, and extra bits with their count, as `emit` wants them behind the symbol's code. */
const lengthSymbols = new Uint8Array(COPY_BYTES_MAX + 1);
const lengthExtras = new Uint8Array(COPY_BYTES_MAX + 1);
const lengthExtraBits = new Uint8Array(COPY_BYTES_MAX + 1);
for (let symbol = 0, length = LENGTH_MIN; symbol < 28; symbol++) {
  const extraBits = symbol < 8 ? 0 : (symbol >> 2) - 1;
  for (let extra = 0; extra < 1 << extraBits; extra++, length++) {
    lengthSymbols[length] = symbol + 1;
    lengthExtras[length] = extra;
    lengthExtraBits[length] = extraBits;
  }
}
// 258 has a symbol for itself, although it would be the last one of the symbol before.
lengthSymbols[COPY_BYTES_MAX] = 29;
lengthExtras[COPY_BYTES_MAX] = 0;
lengthExtraBits[COPY_BYTES_MAX] = 0;

/** What of the loops' tables never changes. */
export function fillTables({ lengthSymbols: lengths, distanceSymbols, distanceExtras }: DeflateLoops): void {
  lengths.set(lengthSymbols);
  for (let symbol = 0, distance = 0; symbol < DISTANCES; symbol++) {
    const extraBits = symbol < 4 ? 0 : (symbol >> 1) - 1;
    distanceExtras[symbol] = (distance << WORD_SHIFT) | extraBits;
    for (let extra = 0; extra < 1 << extraBits; extra++, distance++)
      distanceSymbols[distance < 256 ? distance : 256 + (distance >> 7)] = symbol;
  }
}

const literalLengths = new Uint8Array(LITERALS);
const literalCodes = new Uint16Array(LITERALS);
const distanceLengths = new Uint8Array(DISTANCES);
const distanceCodes = new Uint16Array(DISTANCES);
const runCounts = new Uint32Array(RUN_ORDER.length);
const runLengths = new Uint8Array(RUN_ORDER.length);
const runCodes = new Uint16Array(RUN_ORDER.length);
/** Symbols of the head, extra bits above the lower five. */
const runs = new Uint16Array(LITERALS + DISTANCES);

/**
 * Writes the bytes of the window from `from` to `to` as one block that is not the last.
 * @param passed how many bytes the window has left behind.
 */
export function writeBlock(loops: DeflateLoops, from: number, to: number, passed: number): void {
  loops.literalCounts.fill(0);
  loops.distanceCounts.fill(0);
  loops.literalCounts[END_OF_BLOCK] = 1;
  const copies = loops.find(from, to, passed);
  chooseLengths(loops.literalCounts, CODE_BITS_MAX, literalLengths);
  chooseLengths(loops.distanceCounts, CODE_BITS_MAX, distanceLengths);
  assignCodes(literalLengths, literalCodes);
  assignCodes(distanceLengths, distanceCodes);
  writeHead(loops);
  const { literalWords, lengthWords, distanceWords } = loops;
  for (let symbol = 0; symbol <= END_OF_BLOCK; symbol++)
    literalWords[symbol] = (literalCodes[symbol]! << WORD_SHIFT) | literalLengths[symbol]!;
  for (let length = LENGTH_MIN; length <= COPY_BYTES_MAX; length++) {
    const symbol = END_OF_BLOCK + lengthSymbols[length]!;
    const codeBits = literalLengths[symbol]!;
    const bits = literalCodes[symbol]! | (lengthExtras[length]! << codeBits);
    lengthWords[length] = (bits << WORD_SHIFT) | (codeBits + lengthExtraBits[length]!);
  }
  for (let symbol = 0; symbol < DISTANCES; symbol++)
    distanceWords[symbol] = (distanceCodes[symbol]! << WORD_SHIFT) | distanceLengths[symbol]!;
  loops.emit(from, to, copies);
}

/** An empty block that is the last one, and zeros up to a whole byte. */
export function writeEnd(loops: DeflateLoops): void {
  // The end of a block is seven zeros in the fixed codes.
  put(loops, LAST_FIXED_CODES, 3 + 7);
  put(loops, 0, -loops.state[2]! & 7);
}

function put({ state, memory }: DeflateLoops, bits: number, count: number): void {
  let held = state[1]! | (bits << state[2]!);
  let heldCount = state[2]! + count;
  for (; heldCount >= 8; heldCount -= 8) {
    memory[state[0]!++] = held;
    held >>>= 8;
  }
  state[1] = held;
  state[2] = heldCount;
}

function writeHead(loops: DeflateLoops): void {
  const literals = usedLength(literalLengths, LENGTH_SYMBOLS);
  const distances = usedLength(distanceLengths, 1);
  const runCount = findRuns(literals, distances);
  chooseLengths(runCounts, RUN_CODE_BITS_MAX, runLengths);
  assignCodes(runLengths, runCodes);
  let written = RUN_ORDER.length;
  while (written > 4 && runLengths[RUN_ORDER[written - 1]!] === 0) written--;
  put(loops, OWN_CODES, 3);
  put(loops, literals - LENGTH_SYMBOLS, 5);
  put(loops, distances - 1, 5);
  put(loops, written - 4, 4);
  for (let i = 0; i < written; i++) put(loops, runLengths[RUN_ORDER[i]!]!, 3);
  for (let i = 0; i < runCount; i++) {
    const symbol = runs[i]! & 31;
    put(loops, runCodes[symbol]!, runLengths[symbol]!);
    if (symbol >= REPEAT) put(loops, runs[i]! >> 5, RUN_EXTRA_BITS[symbol - REPEAT]!);
  }
}

function usedLength(lengths: Uint8Array, least: number): number {
  let used = lengths.length;
  while (used > least && lengths[used - 1] === 0) used--;
  return used;
}

/** The lengths of both codes in a row, with symbols for what repeats. */
function findRuns(literals: number, distances: number): number {
  const total = literals + distances;
  let count = 0;
  const add = (symbol: number, extra: number) => {
    runCounts[symbol]!++;
    runs[count++] = symbol | (extra << 5);
  };
  runCounts.fill(0);
  for (let i = 0, end = 0; i < total; i = end) {
    const length = codeLengthAt(i, literals);
    for (end = i + 1; end < total && codeLengthAt(end, literals) === length; ) end++;
    let left = end - i;
    if (length > 0) {
      add(length, 0);
      left--;
    }
    while (left >= 3) {
      const symbol = length > 0 ? REPEAT : left < RUN_MIN[MANY_ZEROS - REPEAT]! ? ZEROS : MANY_ZEROS;
      const taken = Math.min(left, RUN_MAX[symbol - REPEAT]!);
      add(symbol, taken - RUN_MIN[symbol - REPEAT]!);
      left -= taken;
    }
    for (; left > 0; left--) add(length, 0);
  }
  return count;
}

function codeLengthAt(index: number, literals: number): number {
  return index < literals ? literalLengths[index]! : distanceLengths[index - literals]!;
}
