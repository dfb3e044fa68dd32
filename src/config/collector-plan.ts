/** What a valid configuration says, as plain data that may cross threads. */
import type { Signal } from '../component/signal.ts';

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

export type TelemetryLevel = 'none' | 'basic' | 'normal' | 'detailed';

export interface TelemetryPlan {
  metrics: {
    level: TelemetryLevel;
    /** Where `/metrics` is served; undefined when nothing asks for it. */
    prometheus: { host: string; port: number } | undefined;
    /** How names and labels on it look. */
    exposition: {
      hasTypeSuffix: boolean;
      hasUnitSuffix: boolean;
      /** Resource attributes that become labels of every series: those listed (all when undefined) but the excluded. */
      constantLabels: { included: string[] | undefined; excluded: string[] } | undefined;
    };
  };
  logs: {
    level: 'debug' | 'info' | 'warn' | 'error';
    encoding: 'console' | 'json';
    sampling: { tickMs: number; initial: number; thereafter: number } | 'off';
    /** `stderr`, `stdout` or paths of files. */
    outputPaths: string[];
    errorOutputPaths: string[];
    initialFields: Record<string, unknown>;
  };
  /** Attributes of the engine itself; null takes one away that it would have by itself. */
  resource: Record<string, string | null>;
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
