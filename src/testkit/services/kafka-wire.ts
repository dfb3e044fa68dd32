/**
 * The few requests of Kafka's protocol by which tests set up a broker and look at what it holds, written on their own so
 * that no client library under test vouches for itself: ApiVersions, CreateTopics, DeleteTopics, ListOffsets,
 * Metadata.
 *
 * Source: https://kafka.apache.org/protocol, request header version 1 and non-flexible versions of each request.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const LIST_OFFSETS = 2;
const METADATA = 3;
const API_VERSIONS = 18;
const CREATE_TOPICS = 19;
const DELETE_TOPICS = 20;
const LATEST = -1n;
const EARLIEST = -2n;
const TIMEOUT_MS = 10_000;

/** Writes big-endian fields as Kafka lays them out. */
export class KafkaWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.#add(1, (part) => part.writeInt8(value));
  }

  int16(value: number): this {
    return this.#add(2, (part) => part.writeInt16BE(value));
  }

  int32(value: number): this {
    return this.#add(4, (part) => part.writeInt32BE(value));
  }

  int64(value: bigint): this {
    return this.#add(8, (part) => part.writeBigInt64BE(value));
  }

  string(value: string): this {
    const bytes = Buffer.from(value);
    this.int16(bytes.length);
    this.#parts.push(bytes);
    return this;
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(size: number, write: (part: Buffer) => void): this {
    const part = Buffer.alloc(size);
    write(part);
    this.#parts.push(part);
    return this;
  }
}

/** Reads what `KafkaWriter` writes. @throws RangeError past the end. */
export class KafkaReader {
  readonly bytes: Buffer;
  position = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  int8(): number {
    return this.bytes.readInt8(this.#skip(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#skip(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#skip(4));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.#skip(8));
  }

  string(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    const start = this.#skip(length);
    return this.bytes.toString('utf8', start, start + length);
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read);
  }

  /** @returns where the skipped bytes began. */
  #skip(size: number): number {
    this.position += size;
    return this.position - size;
  }
}

/** One request over a connection of its own. @throws Error when the broker does not answer in time. */
export async function askKafka(
  port: number,
  apiKey: number,
  apiVersion: number,
  body: Buffer,
): Promise<KafkaReader> {
  const header = new KafkaWriter().int16(apiKey).int16(apiVersion).int32(1).string('millrace-tests').bytes();
  const size = new KafkaWriter().int32(header.length + body.length).bytes();
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
  try {
    await once(socket, 'connect');
    socket.write(Buffer.concat([size, header, body]));
    const reader = new KafkaReader(await readAnswer(socket));
    // The correlation id.
    reader.int32();
    return reader;
  } finally {
    socket.destroy();
  }
}

async function readAnswer(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      return bytes.subarray(4, 4 + bytes.readInt32BE(0));
    }
  }
  throw new Error('the broker closed the connection without an answer');
}

/** Whether a broker answers there. */
export async function answersKafka(port: number): Promise<boolean> {
  try {
    return (await askKafka(port, API_VERSIONS, 0, Buffer.alloc(0))).int16() === 0;
  } catch {
    return false;
  }
}

/** @throws Error with the broker's code and text. A topic that exists is an error as well. */
export async function createTopic(
  port: number,
  topic: string,
  partitions: number,
  settings: Record<string, string>,
  replicas = 1,
): Promise<void> {
  const body = new KafkaWriter();
  body.array([topic], (name) =>
    body
      .string(name)
      .int32(partitions)
      .int16(replicas)
      .array([], () => undefined)
      .array(Object.entries(settings), ([key, value]) => body.string(key).string(value)),
  );
  const answer = await askKafka(port, CREATE_TOPICS, 2, body.int32(TIMEOUT_MS).int8(0).bytes());
  answer.int32();
  const [result] = answer.array(() => ({
    name: answer.string(),
    code: answer.int16(),
    text: answer.string(),
  }));
  if (result!.code !== 0) throw new Error(`topic ${topic} was not created: ${result!.code} ${result!.text}`);
}

/** @throws Error with the broker's code. */
export async function deleteTopic(port: number, topic: string): Promise<void> {
  const body = new KafkaWriter();
  body.array([topic], (name) => body.string(name));
  const answer = await askKafka(port, DELETE_TOPICS, 1, body.int32(TIMEOUT_MS).bytes());
  answer.int32();
  const [result] = answer.array(() => ({ name: answer.string(), code: answer.int16() }));
  if (result!.code !== 0) throw new Error(`topic ${topic} was not deleted: ${result!.code}`);
}

export interface PartitionPlace {
  partition: number;
  /** Number of the node; -1 while there is none. */
  leader: number;
  /** Replicas that have everything. */
  inSync: number[];
}

/** What one broker knows of a topic, by partition. @throws Error with the broker's code. */
export async function topicPlaces(port: number, topic: string): Promise<PartitionPlace[]> {
  const body = new KafkaWriter();
  body.array([topic], (name) => body.string(name));
  const answer = await askKafka(port, METADATA, 1, body.bytes());
  answer.array(() => ({
    node: answer.int32(),
    host: answer.string(),
    port: answer.int32(),
    rack: answer.string(),
  }));
  answer.int32();
  const [found] = answer.array(() => {
    const code = answer.int16();
    answer.string();
    answer.int8();
    const places = answer.array(() => {
      answer.int16();
      const [partition, leader] = [answer.int32(), answer.int32()];
      answer.array(() => answer.int32());
      return { partition, leader, inSync: answer.array(() => answer.int32()) };
    });
    return { code, places };
  });
  if (found!.code !== 0) throw new Error(`metadata of ${topic}: ${found!.code}`);
  return found!.places.sort((a, b) => a.partition - b.partition);
}

/**
 * Offsets of these partitions, or of 0 to `partitions - 1`: the next one to be written, or the first one that is there.
 *
 * @throws Error with the broker's code, for example 6 while a partition has no leader yet.
 */
export async function listOffsets(
  port: number,
  topic: string,
  partitions: number | readonly number[],
  which: 'earliest' | 'latest',
): Promise<number[]> {
  const time = which === 'latest' ? LATEST : EARLIEST;
  const all =
    typeof partitions === 'number' ? Array.from({ length: partitions }, (_, index) => index) : partitions;
  const body = new KafkaWriter().int32(-1);
  body.array([topic], (name) => {
    body.string(name).array(all, (partition) => body.int32(partition).int64(time));
  });
  const answer = await askKafka(port, LIST_OFFSETS, 1, body.bytes());
  const [found] = answer.array(() => {
    answer.string();
    return answer.array(() => {
      const partition = answer.int32();
      const code = answer.int16();
      answer.int64();
      return { partition, code, offset: Number(answer.int64()) };
    });
  });
  for (const { partition, code } of found!) {
    if (code !== 0) throw new Error(`offsets of ${topic}/${partition}: ${code}`);
  }
  return found!.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset);
}
