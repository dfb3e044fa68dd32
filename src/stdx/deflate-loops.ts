/**
 * The two inner loops of DEFLATE (RFC 1951), as WebAssembly: one finds what repeats, the other writes it down as bits. In
 * JavaScript, without integers of 64 bits, both together take twice the time, which is more than zlib does.
 */
import { assert } from './assert.ts';
import {
  block,
  i32,
  i64,
  leave,
  leaveIf,
  loop,
  select,
  wasmFunction,
  wasmModule,
  when,
} from './wasm-code.ts';

/** How far back a copy may reach. */
export const WINDOW_BYTES = 1 << 15;
/** Bytes of one block beside the window before it. */
const BLOCK_BYTES = 256 << 10;
const COPY_BYTES_MIN = 4;
export const COPY_BYTES_MAX = 258;
/** Of a copy's word: its distance - 1 below, its length above. */
const DISTANCE_BITS = 15;
const HASH_BITS = 15;
const HASH_FACTOR = 0x9e3779b1;
/** Both loops move eight bytes at once. */
const STEP_BYTES = 8;
const PAGE_BYTES = 1 << 16;

/** Code and extra bits of a symbol, and their count below: what `emit` writes at once. */
export const WORD_SHIFT = 8;
const WORD_MASK = (1 << WORD_SHIFT) - 1;

/*
 * The memory, all numbers little-endian:
 *   window     u8[WINDOW_BYTES + BLOCK_BYTES], the input; at 0, so that a position in it is an address
 *   heads      i32[2^HASH_BITS], where bytes with that hash were seen last
 *   tokens     (u32, u32)[], for each copy its word, and how many literals come before it
 *   counts     u32[286] of literals and lengths, u32[30] of distances
 *   symbols    u8 of distances - 1 up to 255, then of their parts above 7 bits; u8 of lengths, counted from 256
 *   words      u32[257] of literals and the end, u32[259] of lengths, u32[30] of distances,
 *              u32[30] of distances: the first one of the symbol, and the count of extra bits
 *   state      u32 end of the output, u32 bits that are no byte yet, u32 their count
 *   output     u8[]
 */
const HEADS = WINDOW_BYTES + BLOCK_BYTES + STEP_BYTES;
const TOKENS = HEADS + (4 << HASH_BITS);
const TOKEN_BYTES = 8;
const LITERAL_COUNTS = TOKENS + TOKEN_BYTES * ((WINDOW_BYTES + BLOCK_BYTES) / COPY_BYTES_MIN);
export const LITERALS = 286;
export const DISTANCES = 30;
export const END_OF_BLOCK = 256;
const DISTANCE_COUNTS = LITERAL_COUNTS + 4 * LITERALS;
const DISTANCE_SYMBOLS = DISTANCE_COUNTS + 4 * DISTANCES;
const LENGTH_SYMBOLS = DISTANCE_SYMBOLS + 512;
const LITERAL_WORDS = (LENGTH_SYMBOLS + COPY_BYTES_MAX + 4) & ~3;
const LENGTH_WORDS = LITERAL_WORDS + 4 * (END_OF_BLOCK + 1);
const DISTANCE_WORDS = LENGTH_WORDS + 4 * (COPY_BYTES_MAX + 1);
const DISTANCE_EXTRAS = DISTANCE_WORDS + 4 * DISTANCES;
const STATE = DISTANCE_EXTRAS + 4 * DISTANCES;
const OUTPUT = STATE + 16;
/** Codes take nine bits a byte at most, however badly the bytes repeat. */
const OUTPUT_BYTES = (WINDOW_BYTES + BLOCK_BYTES) * 1.5;
const PAGES = Math.ceil((OUTPUT + OUTPUT_BYTES) / PAGE_BYTES);
assert(STATE % 4 === 0 && TOKENS % TOKEN_BYTES === 0);

const { value, add, sub, and, shl, shr } = i32;
const times4 = (index: readonly number[]) => shl(index, value(2));

/**
 * `find(from, to, passed)`: tokens of the window's bytes, and their counts; returns how many copies there are. `passed` is
 * how many bytes the window has left behind, modulo 2^32: heads count from the first byte of all, so that nobody has to
 * change them when the window moves on. Whatever they hold, a copy is of bytes that are equal.
 */
const find = wasmFunction(
  'find',
  {
    parameters: ['from', 'to', 'passed'],
    variables: ['at', 'literals', 'token', 'word', 'slot', 'candidate', 'distance', 'end', 'max'],
    wide: ['differing'],
  },
  ({ from, to, passed, at, literals, token, word, slot, candidate, distance, end, max, differing }) => {
    const increment = (address: readonly number[], offset: number) =>
      i32.store(address, add(i32.load(address, offset), value(1)), offset);
    const countLiteral = increment(times4(i32.load8(at.get)), LITERAL_COUNTS);
    const step = (local: typeof at, by: number) => local.set(add(local.get, value(by)));
    const isUnlike = i32.differ(i32.load8(end.get), i32.load8(sub(end.get, distance.get)));
    return [
      at.set(from.get),
      literals.set(from.get),
      token.set(value(TOKENS)),
      block(
        loop(
          leaveIf(1, i32.above(at.get, sub(to.get, value(STEP_BYTES)))),
          word.set(i32.load(at.get)),
          slot.set(headOf(word.get)),
          candidate.set(i32.load(slot.get, HEADS)),
          i32.store(slot.get, add(at.get, passed.get), HEADS),
          distance.set(sub(add(at.get, passed.get), candidate.get)),
          candidate.set(sub(at.get, distance.get)),
          block(
            leaveIf(0, i32.aboveUnsigned(distance.get, value(WINDOW_BYTES))),
            leaveIf(0, i32.differ(i32.load(candidate.get), word.get)),
            // One head more for each copy finds what begins a byte later: 2 % less output.
            i32.store(headOf(i32.load(at.get, 1)), add(add(at.get, passed.get), value(1)), HEADS),
            end.set(add(at.get, value(COPY_BYTES_MIN))),
            max.set(add(at.get, value(COPY_BYTES_MAX))),
            max.set(select(to.get, max.get, i32.above(max.get, to.get))),
            block(
              loop(
                when(
                  i32.above(add(end.get, value(STEP_BYTES)), max.get),
                  loop(
                    leaveIf(3, i32.atLeast(end.get, max.get)),
                    leaveIf(3, isUnlike),
                    step(end, 1),
                    leave(0),
                  ),
                ),
                differing.set(i64.xor(i64.load(end.get), i64.load(sub(end.get, distance.get)))),
                when(i64.isZero(differing.get), step(end, STEP_BYTES), leave(1)),
                end.set(add(end.get, shr(i32.low(i64.trailingZeros(differing.get)), value(3)))),
              ),
            ),
            distance.set(sub(distance.get, value(1))),
            word.set(sub(end.get, at.get)),
            i32.store(token.get, i32.or(shl(word.get, value(DISTANCE_BITS)), distance.get)),
            i32.store(token.get, sub(at.get, literals.get), 4),
            step(token, TOKEN_BYTES),
            increment(times4(i32.load8(word.get, LENGTH_SYMBOLS)), LITERAL_COUNTS + 4 * END_OF_BLOCK),
            increment(times4(distanceSymbol(distance.get)), DISTANCE_COUNTS),
            literals.set(end.get),
            at.set(end.get),
            leave(1),
          ),
          countLiteral,
          step(at, 1),
          leave(0),
        ),
      ),
      block(loop(leaveIf(1, i32.atLeast(at.get, to.get)), countLiteral, step(at, 1), leave(0))),
      shr(sub(token.get, value(TOKENS)), value(3)),
    ];
  },
);

function headOf(word: readonly number[]): readonly number[] {
  return times4(shr(i32.mul(word, value(HASH_FACTOR)), value(32 - HASH_BITS)));
}

function distanceSymbol(distance: readonly number[]): readonly number[] {
  const far = add(shr(distance, value(7)), value(256));
  return i32.load8(select(far, distance, i32.above(distance, value(255))), DISTANCE_SYMBOLS);
}

/** `emit(from, to, copies)`: writes what `find` found with the words, and the end of the block; returns the output's end. */
const emit = wasmFunction(
  'emit',
  {
    parameters: ['from', 'to', 'copies'],
    variables: ['token', 'literalEnd', 'out', 'count', 'word', 'copy'],
    wide: ['bits'],
  },
  ({ from, to, copies, token, literalEnd, out, count, word, copy, bits }) => {
    const putBits = (what: readonly number[]) =>
      bits.set(i64.or(bits.get, i64.shl(i64.wide(what), i64.wide(count.get))));
    const put = (address: readonly number[], offset: number) => [
      ...word.set(i32.load(times4(address), offset)),
      ...putBits(shr(word.get, value(WORD_SHIFT))),
      ...count.set(add(count.get, and(word.get, value(WORD_MASK)))),
    ];
    const flush = [
      ...i64.store(out.get, bits.get),
      ...out.set(add(out.get, shr(count.get, value(3)))),
      ...bits.set(i64.shr(bits.get, i64.wide(and(count.get, value(56))))),
      ...count.set(and(count.get, value(7))),
    ];
    const putLiteral = [...put(i32.load8(from.get), LITERAL_WORDS), ...from.set(add(from.get, value(1)))];
    const isDone = i32.atLeast(from.get, literalEnd.get);
    return [
      token.set(value(TOKENS)),
      copies.set(add(value(TOKENS), shl(copies.get, value(3)))),
      out.set(i32.load(value(STATE))),
      bits.set(i64.wide(i32.load(value(STATE), 4))),
      count.set(i32.load(value(STATE), 8)),
      block(
        loop(
          literalEnd.set(add(from.get, i32.load(token.get, 4))),
          literalEnd.set(select(to.get, literalEnd.get, i32.equal(token.get, copies.get))),
          block(
            loop(
              leaveIf(1, isDone),
              putLiteral,
              // Up to three codes of 15 bits fit behind the seven bits that a flush leaves.
              block(leaveIf(0, isDone), putLiteral, leaveIf(0, isDone), putLiteral),
              flush,
              leave(0),
            ),
          ),
          leaveIf(1, i32.equal(token.get, copies.get)),
          copy.set(i32.load(token.get)),
          from.set(add(from.get, shr(copy.get, value(DISTANCE_BITS)))),
          put(shr(copy.get, value(DISTANCE_BITS)), LENGTH_WORDS),
          copy.set(and(copy.get, value(WINDOW_BYTES - 1))),
          literalEnd.set(distanceSymbol(copy.get)),
          put(literalEnd.get, DISTANCE_WORDS),
          word.set(i32.load(times4(literalEnd.get), DISTANCE_EXTRAS)),
          putBits(sub(copy.get, shr(word.get, value(WORD_SHIFT)))),
          count.set(add(count.get, and(word.get, value(WORD_MASK)))),
          flush,
          token.set(add(token.get, value(TOKEN_BYTES))),
          leave(0),
        ),
      ),
      put(value(END_OF_BLOCK), LITERAL_WORDS),
      flush,
      i32.store(value(STATE), out.get),
      i32.store(value(STATE), i32.low(bits.get), 4),
      i32.store(value(STATE), count.get, 8),
      out.get,
    ];
  },
);

/** What of the platform is used here; its types come with those of browsers only. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

let compiled: object | undefined;

/** Memory of its own, and the loops over it. */
export class DeflateLoops {
  readonly window: Uint8Array;
  readonly heads: Int32Array;
  /** Written by `find`; the caller sets them to 0. */
  readonly literalCounts: Uint32Array;
  readonly distanceCounts: Uint32Array;
  /** Tables that the caller fills once. */
  readonly distanceSymbols: Uint8Array;
  readonly lengthSymbols: Uint8Array;
  readonly distanceExtras: Uint32Array;
  /** Read by `emit`. */
  readonly literalWords: Uint32Array;
  readonly lengthWords: Uint32Array;
  readonly distanceWords: Uint32Array;
  /** End of the output as an address, bits behind it, their count: below 8. */
  readonly state: Uint32Array;
  readonly memory: Uint8Array;
  readonly find: (from: number, to: number, passed: number) => number;
  readonly emit: (from: number, to: number, copies: number) => number;

  constructor() {
    compiled ??= new WebAssembly.Module(wasmModule([find, emit], PAGES));
    const exports = new WebAssembly.Instance(compiled).exports as LoopExports;
    const { buffer } = exports.memory;
    this.memory = new Uint8Array(buffer);
    this.window = new Uint8Array(buffer, 0, WINDOW_BYTES + BLOCK_BYTES);
    this.heads = new Int32Array(buffer, HEADS, 1 << HASH_BITS);
    this.literalCounts = new Uint32Array(buffer, LITERAL_COUNTS, LITERALS);
    this.distanceCounts = new Uint32Array(buffer, DISTANCE_COUNTS, DISTANCES);
    this.distanceSymbols = new Uint8Array(buffer, DISTANCE_SYMBOLS, 512);
    this.lengthSymbols = new Uint8Array(buffer, LENGTH_SYMBOLS, COPY_BYTES_MAX + 1);
    this.literalWords = new Uint32Array(buffer, LITERAL_WORDS, END_OF_BLOCK + 1);
    this.lengthWords = new Uint32Array(buffer, LENGTH_WORDS, COPY_BYTES_MAX + 1);
    this.distanceWords = new Uint32Array(buffer, DISTANCE_WORDS, DISTANCES);
    this.distanceExtras = new Uint32Array(buffer, DISTANCE_EXTRAS, DISTANCES);
    this.state = new Uint32Array(buffer, STATE, 3);
    this.find = exports.find;
    this.emit = exports.emit;
    this.reset();
  }

  reset(): void {
    this.state.set([OUTPUT, 0, 0]);
  }

  /** @returns what was written since the last call, valid until the next block. */
  takeOutput(): Uint8Array {
    const output = this.memory.subarray(OUTPUT, this.state[0]!);
    this.state[0] = OUTPUT;
    return output;
  }
}

interface LoopExports {
  memory: { buffer: ArrayBuffer };
  find: (from: number, to: number, passed: number) => number;
  emit: (from: number, to: number, copies: number) => number;
}
