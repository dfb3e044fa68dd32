/** What a broker's answer to a record batch means for what is sent next, by the error codes of the protocol guide. */

/**
 * - `written`
 * - `refused`: these records will be refused again.
 * - `absent`: not written, may work later.
 * - `unknown`: written or not; only the same batch under the same number tells.
 * - `out of step`: the broker's memory of this producer does not fit ours; only a new producer id goes on.
 */
export type ProduceOutcome = 'written' | 'refused' | 'absent' | 'unknown' | 'out of step';

const OUTCOMES: Readonly<Record<number, ProduceOutcome>> = {
  0: 'written',
  // MESSAGE_TOO_LARGE, INVALID_TOPIC_EXCEPTION, RECORD_LIST_TOO_LARGE
  10: 'refused',
  17: 'refused',
  18: 'refused',
  // INVALID_TIMESTAMP, UNSUPPORTED_FOR_MESSAGE_FORMAT, POLICY_VIOLATION, UNSUPPORTED_COMPRESSION_TYPE, INVALID_RECORD
  32: 'refused',
  43: 'refused',
  44: 'refused',
  76: 'refused',
  87: 'refused',
  // CORRUPT_MESSAGE, LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, NOT_ENOUGH_REPLICAS, INVALID_REQUIRED_ACKS
  2: 'absent',
  5: 'absent',
  9: 'absent',
  19: 'absent',
  21: 'absent',
  // TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED, UNSUPPORTED_VERSION, INVALID_REQUEST,
  // TRANSACTIONAL_ID_AUTHORIZATION_FAILED, THROTTLING_QUOTA_EXCEEDED
  29: 'absent',
  31: 'absent',
  35: 'absent',
  42: 'absent',
  53: 'absent',
  89: 'absent',
  // OUT_OF_ORDER_SEQUENCE_NUMBER
  45: 'out of step',
  // DUPLICATE_SEQUENCE_NUMBER: so old that the broker does not know its offset any more, but it is there.
  46: 'written',
  // INVALID_PRODUCER_EPOCH, INVALID_PRODUCER_ID_MAPPING, UNKNOWN_PRODUCER_ID, PRODUCER_FENCED
  47: 'out of step',
  49: 'out of step',
  59: 'out of step',
  90: 'out of step',
};

/**
 * A code that is not named may come after the batch was appended. So may NOT_LEADER_OR_FOLLOWER (6) and
 * UNKNOWN_TOPIC_OR_PARTITION (3): a leader that is no longer one says so of batches that it still waits to see replicated,
 * and its successor may have them. Another batch under the number of such a one would be taken for it and be lost.
 */
export function produceOutcome(errorCode: number): ProduceOutcome {
  return OUTCOMES[errorCode] ?? 'unknown';
}

/** UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER, REPLICA_NOT_AVAILABLE, KAFKA_STORAGE_ERROR, epochs. */
const STALE_METADATA: ReadonlySet<number> = new Set([3, 5, 6, 9, 56, 74, 75, 100]);

/** The partition may have another leader by now. */
export function isStaleMetadata(errorCode: number): boolean {
  return STALE_METADATA.has(errorCode);
}

export const MESSAGE_TOO_LARGE_TYPES: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
]);
