/** Metrics of the exporter `awss3`, as part of the table in metrics.ts. */
import type { MetricDefinition } from './metrics.ts';

const PREFIX = 'millrace_awss3_exporter_';

export const AWSS3_EXPORTER_METRICS: readonly MetricDefinition[] = [
  {
    name: `${PREFIX}manifests`,
    kind: 'counter',
    unit: '{manifest}',
    doc: 'Manifests by outcome: written, unchanged, lost to another writer and tried again, failed and tried again, forgotten because too many folders waited.',
    level: 'normal',
  },
  {
    name: `${PREFIX}manifest_folders`,
    kind: 'gauge',
    unit: '{folder}',
    doc: 'Folders with objects that no manifest lists yet; one is being filled at any time.',
    level: 'normal',
  },
];
