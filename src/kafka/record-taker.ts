import type { PartitionOffsets } from './consumer-offsets.ts';
import type { KafkaRecord } from './fetched-batches.ts';

/** Who gets the records. All of it is called on the thread of the consumer and must not throw. */
export interface RecordTaker {
  /**
   * Takes one record, or refuses it because there is no room. What it took, it finishes once: `offsets.finish(offset)`
   * and then `finished()` of the consumer, maybe before it returns.
   * @param record borrowed for as long as it is not finished.
   */
  tryTake(offsets: PartitionOffsets, record: KafkaRecord): boolean;
  partitionStarted(offsets: PartitionOffsets): void;
  /** `offsets.isOurs` is false from now on. */
  partitionEnded(offsets: PartitionOffsets): void;
  /** Once for each batch of a partition, before its records. @param lag records behind the last of it. */
  batchRead(offsets: PartitionOffsets, records: readonly KafkaRecord[], lag: number): void;
}
