/** Produce requests and their answers, versions 3 to 8 (Kafka protocol guide, "Produce API (Key: 0)"). */

export const PRODUCE_API_KEY = 0;
/** Version 3 brought record batches, 7 says that we know zstd, 8 names what is wrong with records. */
export const PRODUCE_VERSION_MIN = 3;
export const PRODUCE_VERSION_MAX = 8;

export interface PartitionBatch {
  topic: string;
  partition: number;
  /** One record batch. */
  chunks: readonly Uint8Array[];
  sizeBytes: number;
}

export interface ProduceSettings {
  version: number;
  correlationId: number;
  clientId: string;
  /** -1: all replicas in sync. */
  acks: number;
  /** What the broker gives its replicas. */
  timeoutMs: number;
}

export interface PartitionAnswer {
  topic: string;
  partition: number;
  /** 0: written. */
  errorCode: number;
  errorMessage: string | undefined;
}

export interface ProduceAnswer {
  partitions: PartitionAnswer[];
  throttleMs: number;
}

/** The whole request with its length in front; the chunks of the batches are among the chunks of the result. */
export function encodeProduceRequest(
  batches: readonly PartitionBatch[],
  settings: ProduceSettings,
): Uint8Array[] {
  const byTopic = new Map<string, PartitionBatch[]>();
  for (const batch of batches) {
    const same = byTopic.get(batch.topic);
    if (same === undefined) byTopic.set(batch.topic, [batch]);
    else same.push(batch);
  }
  const clientId = Buffer.from(settings.clientId);
  const head = Buffer.allocUnsafe(4 + 2 + 2 + 4 + 2 + clientId.length + 2 + 2 + 4 + 4);
  let at = head.writeInt16BE(PRODUCE_API_KEY, 4);
  at = head.writeInt16BE(settings.version, at);
  at = head.writeInt32BE(settings.correlationId, at);
  at = head.writeInt16BE(clientId.length, at);
  at += clientId.copy(head, at);
  // No transaction.
  at = head.writeInt16BE(-1, at);
  at = head.writeInt16BE(settings.acks, at);
  at = head.writeInt32BE(settings.timeoutMs, at);
  head.writeInt32BE(byTopic.size, at);
  const chunks: Uint8Array[] = [head];
  let sizeBytes = head.length;
  for (const [topic, partitions] of byTopic) {
    const name = Buffer.from(topic);
    const topicHead = Buffer.allocUnsafe(2 + name.length + 4);
    topicHead.writeInt16BE(name.length);
    name.copy(topicHead, 2);
    topicHead.writeInt32BE(partitions.length, 2 + name.length);
    chunks.push(topicHead);
    sizeBytes += topicHead.length;
    for (const batch of partitions) {
      const partitionHead = Buffer.allocUnsafe(8);
      partitionHead.writeInt32BE(batch.partition);
      partitionHead.writeInt32BE(batch.sizeBytes, 4);
      chunks.push(partitionHead, ...batch.chunks);
      sizeBytes += partitionHead.length + batch.sizeBytes;
    }
  }
  head.writeInt32BE(sizeBytes - 4);
  return chunks;
}

/** @param payload behind the correlation id. @throws RangeError when it is cut off. */
export function decodeProduceAnswer(payload: Buffer, version: number): ProduceAnswer {
  const reader = new AnswerReader(payload);
  const partitions: PartitionAnswer[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string() ?? '';
    for (let count = reader.int32(); count > 0; count--) {
      const partition = reader.int32();
      const errorCode = reader.int16();
      // Base offset and time of the append; the start of the log from version 5 on.
      reader.skip(version >= 5 ? 24 : 16);
      const errorMessage = version >= 8 ? readErrorMessage(reader) : undefined;
      partitions.push({ topic, partition, errorCode, errorMessage });
    }
  }
  return { partitions, throttleMs: reader.int32() };
}

/** What is wrong with the first bad record says more than what is wrong with their batch. */
function readErrorMessage(reader: AnswerReader): string | undefined {
  let ofRecord: string | undefined;
  for (let errors = reader.int32(); errors > 0; errors--) {
    reader.skip(4);
    const message = reader.string();
    ofRecord ??= message;
  }
  const ofBatch = reader.string();
  return ofRecord ?? ofBatch;
}

class AnswerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(count: number): void {
    this.#at += count;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  /** undefined: null. */
  string(): string | undefined {
    const length = this.int16();
    if (length < 0) return undefined;
    this.#at += length;
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }
}
