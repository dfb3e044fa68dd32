import { count, duration, stringList } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig } from '../../config/schema.ts';

export interface BatchConfig {
  timeoutMs: number;
  sendBatchSize: number;
  sendBatchMaxSize: number;
  metadataKeys: string[];
  metadataCardinalityLimit: number;
}

export const batchConfigSchema = defineConfig<BatchConfig>(
  {
    timeoutMs: duration('timeout', {
      default: '200ms',
      doc: 'Age at which a batch is sent however small it is; 0 sends at once.',
    }),
    sendBatchSize: count('send_batch_size', {
      default: 8192,
      doc: 'Items (spans, log records, data points) at which a batch is sent; 0 sends at once.',
    }),
    sendBatchMaxSize: count('send_batch_max_size', {
      default: 0,
      doc: 'Largest batch in items; larger ones are split. 0 means no bound.',
    }),
    metadataKeys: stringList('metadata_keys', {
      default: [],
      doc: 'Headers of clients that batches are kept apart by, whatever their letter case; receivers need `include_metadata`.',
    }),
    metadataCardinalityLimit: count('metadata_cardinality_limit', {
      default: 1000,
      doc: 'Combinations of `metadata_keys` that one pipeline worker takes while it runs; requests with another one are refused. 0 means no bound.',
    }),
  },
  checkBatch,
);

function checkBatch({ sendBatchSize, sendBatchMaxSize, metadataKeys }: BatchConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (sendBatchMaxSize > 0 && sendBatchMaxSize < sendBatchSize) {
    const message = 'must be greater or equal to send_batch_size';
    issues.push({ key: 'send_batch_max_size', message });
  }
  const lower = metadataKeys.map((key) => key.toLowerCase());
  const twice = lower.find((key, index) => lower.indexOf(key) < index);
  if (twice !== undefined) {
    const message = `duplicate entry in metadata_keys: "${twice}" (case-insensitive)`;
    issues.push({ key: 'metadata_keys', message });
  }
  return issues;
}
