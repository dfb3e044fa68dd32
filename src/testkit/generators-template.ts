/**
 * A request encoded once and patched for each sending: ids, times, digits and values are overwritten in place, so
 * that a fresh request costs a few dozen stores an item and no allocation.
 */
import type { Prng } from '../stdx/prng.ts';
import type { Mark } from './generators-encode.ts';
import type { PatchKind } from './generators-schema.ts';

/** ASCII of 0000..9999, most significant digit first, as big-endian words: eight digits are two stores. */
const FOUR_DIGITS = new Uint32Array(10_000);
for (let n = 0; n < FOUR_DIGITS.length; n += 1) {
  FOUR_DIGITS[n] = Buffer.from(String(n).padStart(4, '0')).readUInt32BE(0);
}
/** ASCII of 00..ff as big-endian half words. */
const HEX_BYTES = new Uint16Array(256);
for (let n = 0; n < HEX_BYTES.length; n += 1) {
  HEX_BYTES[n] = Buffer.from(n.toString(16).padStart(2, '0')).readUInt16BE(0);
}

/** Random shift of every time, in nanoseconds: below the distance that models keep between times. */
const JITTER_MASK = 0xf_ffff;
const USERS = 1_000_000;

/** Random words of one request; scratch that all templates of a generator share. */
export interface RequestRandom {
  /** Four words a trace. */
  readonly traceWords: Uint32Array;
  /** Two words an item. */
  readonly itemWords: Uint32Array;
}

/**
 * Redraws ids: of items all, of traces those whose turn it is. No id is all zeros: OTLP calls such an id invalid.
 * @param requestsPerTrace a trace keeps its id for so many draws.
 * @param draw number of this draw.
 */
export function drawRandom(random: RequestRandom, prng: Prng, requestsPerTrace = 1, draw = 0): void {
  const { traceWords, itemWords } = random;
  for (let i = 4 * (draw % requestsPerTrace); i < traceWords.length; i += 4 * requestsPerTrace) {
    for (let word = i; word < i + 4; word += 1) traceWords[word] = prng.nextUint32();
    traceWords[i]! |= 1;
  }
  for (let i = 0; i < itemWords.length; i += 1) itemWords[i] = prng.nextUint32();
  for (let i = 0; i < itemWords.length; i += 2) itemWords[i]! |= 1;
}

/** Offset and index of every mark of one kind, flat. */
function pairsOf(marks: readonly Mark[], kind: PatchKind): Int32Array {
  return Int32Array.from(
    marks.filter((mark) => mark.kind === kind).flatMap((mark) => [mark.offset, mark.index]),
  );
}

function writeDigits8(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / 10_000);
  view.setUint32(at, FOUR_DIGITS[high]!);
  view.setUint32(at + 4, FOUR_DIGITS[value - high * 10_000]!);
}

function writeHexWord(view: DataView, at: number, word: number): void {
  view.setUint16(at, HEX_BYTES[word >>> 24]!);
  view.setUint16(at + 2, HEX_BYTES[(word >>> 16) & 255]!);
  view.setUint16(at + 4, HEX_BYTES[(word >>> 8) & 255]!);
  view.setUint16(at + 6, HEX_BYTES[word & 255]!);
}

export class RequestTemplate {
  readonly bytes: Uint8Array;
  readonly #isJson: boolean;
  readonly #marks: Readonly<Record<PatchKind, Int32Array>>;

  constructor(bytes: Uint8Array, marks: readonly Mark[], isJson: boolean) {
    this.bytes = bytes;
    this.#isJson = isJson;
    this.#marks = {
      traceId: pairsOf(marks, 'traceId'),
      spanId: pairsOf(marks, 'spanId'),
      // Times carry eight bytes of offset and delta too; a delta fits 33 bits, so it is kept in microseconds.
      time: pairsOf(
        marks.map((mark) =>
          mark.kind === 'time' ? { ...mark, index: Math.floor(mark.index / 1_000) } : mark,
        ),
        'time',
      ),
      userDigits: pairsOf(marks, 'userDigits'),
      itemDigits: pairsOf(marks, 'itemDigits'),
      seqDigits: pairsOf(marks, 'seqDigits'),
      double: pairsOf(marks, 'double'),
      counter: pairsOf(marks, 'counter'),
    };
  }

  /**
   * Makes the copy of the template that starts at `base` in `view` a new request.
   *
   * @param seq number of the request within its producer; also moves counters forward.
   * @param unixMs wall clock of the sending; every time lies a little before it.
   */
  fill(view: DataView, base: number, random: RequestRandom, seq: number, unixMs: number): void {
    this.#fillText(view, base, random, seq);
    if (this.#isJson) this.#fillJson(view, base, random, seq, unixMs);
    else this.#fillProto(view, base, random, seq, unixMs);
  }

  /** Digits are text in both encodings. */
  #fillText(view: DataView, base: number, random: RequestRandom, seq: number): void {
    const { userDigits, itemDigits, seqDigits } = this.#marks;
    for (let i = 0; i < userDigits.length; i += 2) {
      // Squared: few users send much, many send little.
      const share = random.traceWords[userDigits[i + 1]! * 4 + 1]! / 0x1_0000_0000;
      writeDigits8(view, base + userDigits[i]!, Math.floor(share * share * USERS));
    }
    for (let i = 0; i < itemDigits.length; i += 2) {
      writeDigits8(view, base + itemDigits[i]!, random.itemWords[itemDigits[i + 1]! * 2 + 1]! % 100_000_000);
    }
    for (let i = 0; i < seqDigits.length; i += 2) writeDigits8(view, base + seqDigits[i]!, seq % 100_000_000);
  }

  #fillProto(view: DataView, base: number, random: RequestRandom, seq: number, unixMs: number): void {
    const { traceId, spanId, double, counter } = this.#marks;
    const { traceWords, itemWords } = random;
    for (let i = 0; i < traceId.length; i += 2) {
      const at = base + traceId[i]!;
      const word = traceId[i + 1]! * 4;
      view.setUint32(at, traceWords[word]!);
      view.setUint32(at + 4, traceWords[word + 1]!);
      view.setUint32(at + 8, traceWords[word + 2]!);
      view.setUint32(at + 12, traceWords[word + 3]!);
    }
    for (let i = 0; i < spanId.length; i += 2) {
      const at = base + spanId[i]!;
      const word = spanId[i + 1]! * 2;
      view.setUint32(at, itemWords[word]!);
      view.setUint32(at + 4, itemWords[word + 1]!);
    }
    this.#fillProtoTimes(view, base, random, unixMs);
    for (let i = 0; i < double.length; i += 2) {
      const value = 10_000_000 + (itemWords[double[i + 1]! * 2]! % 10_000_000);
      view.setFloat64(base + double[i]!, value / 10_000, true);
    }
    for (let i = 0; i < counter.length; i += 2) {
      view.setUint32(base + counter[i]!, 1_000_000_000 + ((seq * 41 + counter[i + 1]!) % 100_000_000), true);
    }
  }

  #fillProtoTimes(view: DataView, base: number, random: RequestRandom, unixMs: number): void {
    const time = this.#marks.time;
    const words = random.itemWords;
    const unixNanos = BigInt(Math.floor(unixMs)) * 1_000_000n;
    const low = Number(unixNanos & 0xffff_ffffn);
    const high = Number(unixNanos >> 32n);
    for (let i = 0, word = 0; i < time.length; i += 2) {
      const at = base + time[i]!;
      let nanos = low - time[i + 1]! * 1_000 + (words[word]! & JITTER_MASK);
      let carry = 0;
      while (nanos < 0) {
        nanos += 0x1_0000_0000;
        carry += 1;
      }
      view.setUint32(at, nanos, true);
      view.setUint32(at + 4, high - carry, true);
      word = word + 1 === words.length ? 0 : word + 1;
    }
  }

  #fillJson(view: DataView, base: number, random: RequestRandom, seq: number, unixMs: number): void {
    const { traceId, spanId, double, counter } = this.#marks;
    const { traceWords, itemWords } = random;
    for (let i = 0; i < traceId.length; i += 2) {
      const word = traceId[i + 1]! * 4;
      for (let n = 0; n < 4; n += 1) writeHexWord(view, base + traceId[i]! + n * 8, traceWords[word + n]!);
    }
    for (let i = 0; i < spanId.length; i += 2) {
      const word = spanId[i + 1]! * 2;
      for (let n = 0; n < 2; n += 1) writeHexWord(view, base + spanId[i]! + n * 8, itemWords[word + n]!);
    }
    this.#fillJsonTimes(view, base, random, unixMs);
    for (let i = 0; i < double.length; i += 2) {
      // 1ddd.dddd: nine characters that never start with a zero, which JSON would refuse.
      const at = base + double[i]!;
      writeDigits8(view, at, 10_000_000 + (itemWords[double[i + 1]! * 2]! % 10_000_000));
      for (let n = 8; n > 4; n -= 1) view.setUint8(at + n, view.getUint8(at + n - 1));
      view.setUint8(at + 4, 0x2e);
    }
    for (let i = 0; i < counter.length; i += 2) {
      const at = base + counter[i]!;
      view.setUint16(at, 0x31_30);
      writeDigits8(view, at + 2, (seq * 41 + counter[i + 1]!) % 100_000_000);
    }
  }

  #fillJsonTimes(view: DataView, base: number, random: RequestRandom, unixMs: number): void {
    const time = this.#marks.time;
    const words = random.itemWords;
    const seconds = Math.floor(unixMs / 1_000);
    const nanosInSecond = Math.floor(unixMs - seconds * 1_000) * 1_000_000;
    for (let i = 0, word = 0; i < time.length; i += 2) {
      const at = base + time[i]!;
      let nanos = nanosInSecond - time[i + 1]! * 1_000 + (words[word]! & JITTER_MASK);
      let wholeSeconds = seconds;
      while (nanos < 0) {
        nanos += 1_000_000_000;
        wholeSeconds -= 1;
      }
      // Ten digits of seconds and nine of nanoseconds: 2 + 8 and 1 + 8.
      const millions = Math.floor(wholeSeconds / 100_000_000);
      view.setUint8(at, 0x30 + Math.floor(millions / 10));
      view.setUint8(at + 1, 0x30 + (millions % 10));
      writeDigits8(view, at + 2, wholeSeconds % 100_000_000);
      view.setUint8(at + 10, 0x30 + Math.floor(nanos / 100_000_000));
      writeDigits8(view, at + 11, nanos % 100_000_000);
      word = word + 1 === words.length ? 0 : word + 1;
    }
  }
}
