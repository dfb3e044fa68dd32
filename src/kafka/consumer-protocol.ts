/**
 * What members of a consumer group tell each other: the consumer protocol of Kafka (ConsumerProtocolSubscription and
 * ConsumerProtocolAssignment, version 0, which members of every version read) and the user data of its sticky assignor.
 *
 * ```
 * subscription: int16 version | int32 count, count strings (topics) | bytes user data
 * assignment:   int16 version | owned partitions | bytes user data
 * user data of `sticky`: owned partitions | int32 generation (absent in its first version)
 * owned partitions: int32 count, count times (string topic | int32 count, count int32 (partitions))
 * string: int16 bytes, UTF-8; bytes: int32 bytes, -1 for none
 * ```
 * Big-endian throughout. Members may run other programs, so nothing of it is trusted.
 */

/** By topic, ascending. */
export type OwnedPartitions = ReadonlyMap<string, readonly number[]>;

export const NO_GENERATION = -1;

export interface Subscription {
  topics: readonly string[];
  /** What the member had before, as far as it says so. */
  owned: OwnedPartitions;
  /** Of the group when it had them; NO_GENERATION when it does not say. */
  generation: number;
}

class ProtocolWriter {
  readonly #parts: Buffer[] = [];

  int16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeInt16BE(value);
    this.#parts.push(part);
    return this;
  }

  int32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  string(text: string): this {
    const part = Buffer.from(text);
    this.int16(part.byteLength);
    this.#parts.push(part);
    return this;
  }

  bytes(part: Buffer): this {
    this.int32(part.byteLength);
    this.#parts.push(part);
    return this;
  }

  owned(owned: OwnedPartitions): this {
    this.int32(owned.size);
    for (const [topic, partitions] of owned) {
      this.string(topic).int32(partitions.length);
      for (const partition of partitions) this.int32(partition);
    }
    return this;
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Throws RangeError at the end of the bytes, as Buffer does; counts are checked against what is left. */
class ProtocolReader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.byteLength - this.at;
  }

  int16(): number {
    this.at += 2;
    return this.#bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.#bytes.readInt32BE(this.at - 4);
  }

  string(): string {
    return this.#take(this.int16()).toString();
  }

  bytes(): Buffer {
    const count = this.int32();
    return count < 0 ? Buffer.alloc(0) : this.#take(count);
  }

  list<T>(read: () => T): T[] {
    const count = this.int32();
    if (count > this.left) throw new RangeError('more elements than bytes');
    return Array.from({ length: Math.max(count, 0) }, read);
  }

  owned(): Map<string, number[]> {
    return new Map(this.list(() => [this.string(), this.list(() => this.int32())] as const));
  }

  #take(count: number): Buffer {
    if (count < 0 || count > this.left) throw new RangeError('a text or a value is cut off');
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }
}

/** @param withOwned only the sticky strategy tells what it had. */
export function encodeSubscription(subscription: Subscription, withOwned: boolean): Buffer {
  const { topics, owned, generation } = subscription;
  const writer = new ProtocolWriter().int16(0).int32(topics.length);
  for (const topic of topics) writer.string(topic);
  const userData = withOwned
    ? new ProtocolWriter().owned(owned).int32(generation).toBuffer()
    : Buffer.alloc(0);
  return writer.bytes(userData).toBuffer();
}

/** What cannot be read of it is as if the member had not said it. */
export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new ProtocolReader(bytes);
  let topics: string[] = [];
  try {
    reader.int16();
    topics = reader.list(() => reader.string());
    const userData = new ProtocolReader(reader.bytes());
    if (userData.left === 0) return { topics, owned: new Map(), generation: NO_GENERATION };
    const owned = userData.owned();
    return { topics, owned, generation: userData.left >= 4 ? userData.int32() : NO_GENERATION };
  } catch {
    return { topics, owned: new Map(), generation: NO_GENERATION };
  }
}

export function encodeAssignment(owned: OwnedPartitions): Buffer {
  return new ProtocolWriter().int16(0).owned(owned).bytes(Buffer.alloc(0)).toBuffer();
}
