import { duration, integer } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig } from '../../config/schema.ts';

export interface MemoryLimiterConfig {
  checkIntervalMs: number;
  /** 0: not set. */
  limitMib: number;
  spikeLimitMib: number;
  limitPercentage: number;
  spikeLimitPercentage: number;
  softGcIntervalMinMs: number;
  hardGcIntervalMinMs: number;
  softGcIntervalMaxMs: number;
  hardGcIntervalMaxMs: number;
}

const mebibytes = (key: string, doc: string) => integer(key, { default: 0, min: 0, doc });
const percentage = (key: string, doc: string) => integer(key, { default: 0, min: 0, max: 100, doc });

export const memoryLimiterConfigSchema = defineConfig<MemoryLimiterConfig>(
  {
    checkIntervalMs: duration('check_interval', { default: '0s', doc: 'How often memory is looked at.' }),
    limitMib: mebibytes('limit_mib', 'Hard limit in MiB; wins over the percentage.'),
    spikeLimitMib: mebibytes('spike_limit_mib', 'The soft limit is this much lower; 0 means a fifth.'),
    limitPercentage: percentage(
      'limit_percentage',
      'Hard limit in percent of what the control group allows, else of the machine.',
    ),
    spikeLimitPercentage: percentage('spike_limit_percentage', 'As spike_limit_mib, in percent.'),
    softGcIntervalMinMs: duration('min_gc_interval_when_soft_limited', {
      default: '10s',
      doc: 'Least time between forced collections above the soft limit.',
    }),
    hardGcIntervalMinMs: duration('min_gc_interval_when_hard_limited', {
      default: '0s',
      doc: 'The same above the hard limit.',
    }),
    softGcIntervalMaxMs: duration('max_gc_interval_when_soft_limited', {
      default: '30s',
      doc: 'A collection that frees little doubles the time to the next one, up to this; 0 switches that off.',
    }),
    hardGcIntervalMaxMs: duration('max_gc_interval_when_hard_limited', {
      default: '30s',
      doc: 'The same above the hard limit.',
    }),
  },
  checkLimits,
);

function checkLimits(config: MemoryLimiterConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const { limitMib, spikeLimitMib, limitPercentage, spikeLimitPercentage } = config;
  if (config.checkIntervalMs === 0)
    issues.push({ key: 'check_interval', message: 'must be greater than zero' });
  if (limitMib === 0 && limitPercentage === 0) {
    issues.push({ key: '', message: '"limit_mib" or "limit_percentage" must be set to greater than zero' });
  }
  if (limitMib > 0 && spikeLimitMib >= limitMib) {
    issues.push({ key: 'spike_limit_mib', message: 'must be smaller than "limit_mib"' });
  }
  if (limitMib === 0 && limitPercentage > 0 && spikeLimitPercentage >= limitPercentage) {
    issues.push({ key: 'spike_limit_percentage', message: 'must be smaller than "limit_percentage"' });
  }
  return issues;
}
