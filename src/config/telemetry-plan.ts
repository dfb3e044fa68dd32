/** What `service::telemetry` says, as plain data that may cross threads. */

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
    /** Whatever leaves by themselves, and when. */
    periodicReaders: PeriodicReaderPlan[];
    views: ViewPlan[];
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
  /** undefined: the engine does not trace itself. */
  traces: TracesPlan | undefined;
  /** Attributes of the engine itself; null takes one away that it would have by itself. */
  resource: Record<string, string | null>;
}

/** Where own metrics or spans are sent by OTLP. */
export interface OtlpTargetPlan {
  protocol: 'grpc' | 'http/protobuf';
  /** With its scheme; for HTTP it is the whole URL of the signal. */
  url: string;
  headers: Record<string, string>;
  compression: 'gzip' | 'none';
  /** Of metrics. */
  temporality: 'cumulative' | 'delta' | 'lowmemory';
  timeoutMs: number;
  caFile: string | undefined;
  certFile: string | undefined;
  keyFile: string | undefined;
}

/** Exactly one is there. */
export interface OwnExporterPlan {
  otlp: OtlpTargetPlan | undefined;
  /** On stdout. */
  isConsole: boolean;
}

export interface PeriodicReaderPlan {
  intervalMs: number;
  timeoutMs: number;
  exporter: OwnExporterPlan;
}

/** See telemetry/views.ts. */
export interface ViewPlan {
  selector: {
    instrumentName: string | undefined;
    instrumentType: string | undefined;
    unit: string | undefined;
    meterName: string | undefined;
  };
  stream: {
    name: string | undefined;
    description: string | undefined;
    attributeKeys: { included: string[] | undefined; excluded: string[] } | undefined;
    isDropped: boolean;
  };
}

export type SamplerPlan =
  | { kind: 'always_on' | 'always_off' }
  | { kind: 'ratio'; ratio: number }
  | { kind: 'parent'; root: SamplerPlan; ifSampled: SamplerPlan; ifNotSampled: SamplerPlan };

export interface SpanProcessorPlan {
  /** 0: as soon as spans are there. */
  delayMs: number;
  timeoutMs: number;
  queueMax: number;
  batchMax: number;
  exporter: OwnExporterPlan;
}

export interface TracesPlan {
  processors: SpanProcessorPlan[];
  sampler: SamplerPlan;
  /** Whether a `traceparent` of a request is the parent of its spans. */
  takesTraceContext: boolean;
}
