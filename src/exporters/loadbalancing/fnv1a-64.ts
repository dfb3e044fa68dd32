/** FNV-1a with 64 bits (RFC 9923), in two words of 32 bits: bigints would cost more than everything around them. */

const OFFSET_HI = 0xcbf29ce4;
const OFFSET_LO = 0x84222325;
/** The prime is 2^40 and this. */
const PRIME_LO = 0x1b3;
const WORD = 0x1_0000_0000;

export class Fnv1a64 {
  #hi = OFFSET_HI;
  #lo = OFFSET_LO;

  reset(): void {
    this.#hi = OFFSET_HI;
    this.#lo = OFFSET_LO;
  }

  /** Goes on where the other one is. */
  follow(other: Fnv1a64): void {
    this.#hi = other.#hi;
    this.#lo = other.#lo;
  }

  addByte(byte: number): void {
    const lo = (this.#lo ^ byte) >>> 0;
    // Both products are below 2^41, so doubles hold them.
    const low = lo * PRIME_LO;
    this.#hi = (this.#hi * PRIME_LO + Math.floor(low / WORD) + lo * 256) % WORD;
    this.#lo = low % WORD;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) this.addByte(bytes[at]!);
  }

  /** Without zeros in front. */
  hex(): string {
    if (this.#hi === 0) return this.#lo.toString(16);
    return this.#hi.toString(16) + this.#lo.toString(16).padStart(8, '0');
  }
}
