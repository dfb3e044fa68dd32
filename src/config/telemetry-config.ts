/** `service::telemetry`: the engine's own metrics, logs, traces and resource. */
import { anything, section, squash } from './field-kinds.ts';
import { defineShape, mapShape, type Shape } from './schema.ts';
import { telemetryLogsShape } from './telemetry-logs-config.ts';
import { telemetryMetricsShape } from './telemetry-metrics-config.ts';
import type { TelemetryPlan } from './telemetry-plan.ts';
import { readResource } from './telemetry-resource.ts';
import { telemetryTracesShape } from './telemetry-traces-config.ts';

/** A table of its own, so that its mistakes are listed beside those of the other keys. */
const resourceShape: Shape<TelemetryPlan['resource']> = mapShape(
  defineShape<{ resource: unknown }>(
    {
      resource: anything('resource', {
        doc: 'Attributes of the engine itself: a map of names to values (null takes one away), or `attributes`.',
      }),
    },
    ({ resource }) => readResource(resource).problems.map((message) => ({ key: 'resource', message })),
  ),
  ({ resource }) => readResource(resource).attributes,
);

export const telemetryShape: Shape<TelemetryPlan> = defineShape<TelemetryPlan>({
  metrics: section('metrics', telemetryMetricsShape, { doc: "The engine's own metrics." }),
  logs: section('logs', telemetryLogsShape, { doc: "The engine's own log lines." }),
  resource: squash(resourceShape),
  traces: section('traces', telemetryTracesShape, { doc: "The engine's own spans." }),
});
