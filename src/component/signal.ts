/** The three signals of OTLP that pipelines carry. */
export const SIGNALS = ['traces', 'metrics', 'logs'] as const;
export type Signal = (typeof SIGNALS)[number];

/** Position of a signal in SIGNALS: the byte that stands for it in frames and log records. */
export function signalIndex(signal: Signal): number {
  return SIGNALS.indexOf(signal);
}

/** What one item of a signal is called in metric names: `otelcol_receiver_accepted_<suffix>`. */
export const ITEM_SUFFIX: Record<Signal, string> = {
  traces: 'spans',
  metrics: 'metric_points',
  logs: 'log_records',
};
