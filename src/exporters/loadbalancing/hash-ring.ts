/**
 * The ring of the Collector's loadbalancing exporter (contrib 0.158): each backend has 200 points, CRC-32 of its name
 * and a little-endian counter of four bytes; a point whose place is taken moves up to ten places on, and is left out
 * behind that. A key belongs to the first point at or behind its own place.
 */
const POSITIONS = 131_071;
const POINTS = 200;
const PROBES_MAX = 10;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc >>> 0;
});
const HEX = new TextEncoder().encode('0123456789abcdef');

/** CRC-32 (IEEE) of bytes [start, end): the call into zlib costs more than the sixteen steps of an id. */
export function keyHash(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ bytes[at]!) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** The same of the lower-case hexadecimal digits of bytes [start, end). */
export function hexKeyHash(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  for (let at = start; at < end; at++) {
    crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ HEX[bytes[at]! >> 4]!) & 0xff]!;
    crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ HEX[bytes[at]! & 15]!) & 0xff]!;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

export function textKeyHash(text: string): number {
  const bytes = Buffer.from(text, 'utf8');
  return keyHash(bytes, 0, bytes.length);
}

interface Point {
  position: number;
  hash: number;
  backend: number;
}

function pointsOf(endpoint: string, backend: number): Point[] {
  const name = Buffer.from(endpoint, 'utf8');
  const bytes = Buffer.alloc(name.length + 4);
  name.copy(bytes);
  return Array.from({ length: POINTS }, (_, counter) => {
    bytes.writeUInt32LE(counter, name.length);
    const hash = keyHash(bytes, 0, bytes.length);
    return { position: hash % POSITIONS, hash, backend };
  });
}

export class HashRing {
  /** In the order that `ownerOf` numbers them. */
  readonly endpoints: readonly string[];
  /** By position. */
  readonly #owners: Int16Array;

  /** @param endpoints at least one, sorted, each once. */
  constructor(endpoints: readonly string[]) {
    this.endpoints = endpoints;
    const points = endpoints.flatMap((endpoint, backend) => pointsOf(endpoint, backend));
    // Equal places and equal hashes leave the names, which are in order.
    points.sort((a, b) => a.position - b.position || a.hash - b.hash || a.backend - b.backend);
    const placed = new Int16Array(POSITIONS).fill(-1);
    for (const { position, backend } of points) {
      let at = position;
      let probes = 0;
      while (probes < PROBES_MAX && placed[at] !== -1) {
        at = (at + 1) % POSITIONS;
        probes += 1;
      }
      if (probes < PROBES_MAX) placed[at] = backend;
    }
    this.#owners = spread(placed);
  }

  /** Number of the backend that a key belongs to. */
  ownerOf(hash: number): number {
    return this.#owners[hash % POSITIONS]!;
  }
}

/** Gives every place between two points to the later one; behind the last it is the first. */
function spread(placed: Int16Array): Int16Array {
  let owner = placed.find((backend) => backend !== -1) ?? 0;
  for (let at = placed.length - 1; at >= 0; at--) {
    if (placed[at] === -1) placed[at] = owner;
    else owner = placed[at]!;
  }
  return placed;
}
