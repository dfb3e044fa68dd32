import type { DeliveryConfig } from '../../component/factory.ts';
import { boolean, count, oneOf, refused, squash, stringList } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig } from '../../config/schema.ts';
import { deliveryShape } from '../helper/config.ts';

export type Verbosity = 'basic' | 'normal' | 'detailed';

export interface DebugConfig {
  verbosity: Verbosity;
  samplingInitial: number;
  samplingThereafter: number;
  usesInternalLogger: boolean;
  /** undefined: stdout. */
  outputPaths: string[] | undefined;
  delivery: DeliveryConfig;
}

const OUTPUTS = ['stdout', 'stderr'];

export const debugConfigSchema = defineConfig<DebugConfig>(
  {
    verbosity: oneOf('verbosity', {
      values: ['basic', 'normal', 'detailed'],
      default: 'basic',
      ignoreCase: true,
      doc: 'One line of counts for each batch; also a line for each item; or also every field of every item.',
    }),
    samplingInitial: count('sampling_initial', {
      default: 2,
      doc: 'Batches that are shown in each second before sampling begins.',
    }),
    samplingThereafter: count('sampling_thereafter', {
      default: 1,
      doc: 'Of the batches after those, one in this number is shown; 1 shows all, 0 none.',
    }),
    usesInternalLogger: boolean('use_internal_logger', {
      default: true,
      doc: "Counts go to the engine's log and the rest to stderr; otherwise both go to `output_paths`.",
    }),
    outputPaths: stringList('output_paths', {
      doc: '`stdout`, `stderr` or both, when `use_internal_logger` is false; default stdout.',
    }),
    // Small batches at once and in order: what is shown is what arrived, when it arrived.
    delivery: squash(
      deliveryShape({ timeout: '0s', numConsumers: 1, batchMinSize: 1, batchFlushTimeout: '100ms' }),
    ),
  },
  checkConfig,
  [refused('loglevel', 'was replaced by "verbosity": basic, normal or detailed')],
);

function checkConfig(config: DebugConfig): CheckIssue[] {
  const { outputPaths, usesInternalLogger } = config;
  if (outputPaths === undefined) return [];
  if (usesInternalLogger) {
    const message = 'output_paths is not supported when use_internal_logger is true';
    return [{ key: 'output_paths', message }];
  }
  if (outputPaths.length === 0) return [{ key: 'output_paths', message: 'must name an output' }];
  const strange = outputPaths.filter((output) => !OUTPUTS.includes(output));
  return strange.map((output) => ({
    key: 'output_paths',
    message: `"${output}" is not supported: only stdout and stderr are; the \`file\` exporter writes files`,
  }));
}
