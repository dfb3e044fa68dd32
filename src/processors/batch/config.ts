import { count, duration, ignored, integer, stringList } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig } from '../../config/schema.ts';

export interface BatchConfig {
  timeoutMs: number;
  sendBatchSize: number;
  sendBatchMaxSize: number;
  metadataKeys: string[];
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
      doc: 'Metadata of clients that batches are kept apart by; not supported yet.',
    }),
  },
  checkBatch,
  [
    ignored(
      integer('metadata_cardinality_limit', { min: 0, doc: 'Combinations of `metadata_keys`.' }),
      'batches are not kept apart by metadata',
    ),
  ],
);

function checkBatch({ sendBatchSize, sendBatchMaxSize, metadataKeys }: BatchConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (sendBatchMaxSize > 0 && sendBatchMaxSize < sendBatchSize) {
    const message = 'must be greater or equal to send_batch_size';
    issues.push({ key: 'send_batch_max_size', message });
  }
  if (metadataKeys.length > 0) {
    const message = 'is not supported yet: metadata of clients is not kept with the data on disk';
    issues.push({ key: 'metadata_keys', message });
  }
  return issues;
}
