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
  // UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT, NETWORK_EXCEPTION, NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_STORAGE_ERROR
  [-1]: 'unknown',
  7: 'unknown',
  13: 'unknown',
  20: 'unknown',
  56: 'unknown',
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

/** Every code that is not named says that the broker did not take the batch. */
export function produceOutcome(errorCode: number): ProduceOutcome {
  return OUTCOMES[errorCode] ?? 'absent';
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
