/** Where partitions begin that a group has never committed. */
import type { Kafka } from './client.ts';
import type { PartitionOffsets } from './consumer-offsets.ts';

/**
 * @returns those of the partitions without a committed offset, with where they end now.
 * @throws what the client says.
 */
export async function uncommittedEnds(
  kafka: Kafka,
  groupId: string,
  partitions: readonly PartitionOffsets[],
): Promise<{ offsets: PartitionOffsets; end: number }[]> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const topics = [...new Set(partitions.map(({ topic }) => topic))];
    const committed = new Map(
      (await admin.fetchOffsets({ groupId, topics })).map((found) => [
        found.topic,
        new Set(
          found.partitions.filter(({ offset }) => Number(offset) >= 0).map(({ partition }) => partition),
        ),
      ]),
    );
    const found: { offsets: PartitionOffsets; end: number }[] = [];
    for (const topic of topics) {
      const fresh = partitions.filter(
        (offsets) => offsets.topic === topic && !committed.get(topic)?.has(offsets.partition),
      );
      if (fresh.length === 0) continue;
      const ends = new Map(
        (await admin.fetchTopicOffsets(topic)).map(({ partition, offset }) => [partition, Number(offset)]),
      );
      for (const offsets of fresh) {
        const end = ends.get(offsets.partition);
        if (end !== undefined) found.push({ offsets, end });
      }
    }
    return found;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
