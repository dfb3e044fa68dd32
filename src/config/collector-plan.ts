/** What a valid configuration says, as plain data that may cross threads. */
import type { Signal } from '../component/signal.ts';
import type { TelemetryPlan } from './telemetry-plan.ts';

export interface ComponentPlan {
  /** As written, blanks around the slash removed: names the component in logs and metrics. */
  id: string;
  /** The factory's type; an old spelling in the id is resolved. */
  type: string;
  /** Value of the factory's `configSchema`. */
  config: unknown;
}

export interface PipelinePlan {
  /** `traces` or `traces/name`. */
  id: string;
  signal: Signal;
  /** Ids in the order of the file, each once. */
  receivers: string[];
  processors: string[];
  exporters: string[];
}

export interface CollectorPlan {
  /** Receivers, processors and exporters that a pipeline uses; the others are checked and left out. */
  receivers: ComponentPlan[];
  processors: ComponentPlan[];
  exporters: ComponentPlan[];
  /** In the order of `service::extensions`, which is the order of starting. */
  extensions: ComponentPlan[];
  pipelines: PipelinePlan[];
  telemetry: TelemetryPlan;
  /** One line each, with file, line and column. */
  warnings: string[];
}
