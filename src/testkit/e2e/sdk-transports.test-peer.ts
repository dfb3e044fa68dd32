/** The exporters of the OpenTelemetry SDK: three wire formats, plain and compressed. */
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import {
  AggregationTemporalityPreference,
  OTLPMetricExporter as JsonMetrics,
} from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { EnginePorts } from '../engine-process.ts';

export interface SdkTransport {
  /** Also the service's name, so that each transport's rows can be told apart. */
  name: string;
  /** What the metric exporter asks the SDK for: 1 is delta, 2 cumulative, as in OTLP. */
  temporality: 1 | 2;
  traces(): SpanExporter;
  logs(): LogRecordExporter;
  metrics(): PushMetricExporter;
}

export function sdkTransports(ports: EnginePorts): SdkTransport[] {
  return [CompressionAlgorithm.NONE, CompressionAlgorithm.GZIP].flatMap((compression) => {
    const isCompressed = compression === CompressionAlgorithm.GZIP;
    const suffix = isCompressed ? '-gzip' : '';
    const temporality = isCompressed ? 1 : 2;
    const { DELTA, CUMULATIVE } = AggregationTemporalityPreference;
    const temporalityPreference = isCompressed ? DELTA : CUMULATIVE;
    const http = (signal: string) => ({ url: `http://127.0.0.1:${ports.http}/v1/${signal}`, compression });
    const grpc = { url: `http://127.0.0.1:${ports.grpc}`, compression };
    return [
      {
        name: `http-protobuf${suffix}`,
        temporality,
        traces: () => new ProtoTraces(http('traces')),
        logs: () => new ProtoLogs(http('logs')),
        metrics: () => new ProtoMetrics({ ...http('metrics'), temporalityPreference }),
      },
      {
        name: `http-json${suffix}`,
        temporality,
        traces: () => new JsonTraces(http('traces')),
        logs: () => new JsonLogs(http('logs')),
        metrics: () => new JsonMetrics({ ...http('metrics'), temporalityPreference }),
      },
      {
        name: `grpc${suffix}`,
        temporality,
        traces: () => new GrpcTraces(grpc),
        logs: () => new GrpcLogs(grpc),
        metrics: () => new GrpcMetrics({ ...grpc, temporalityPreference }),
      },
    ];
  });
}

/** A moment as the SDK takes it, with nanoseconds that no double and no millisecond clock could carry. */
export interface Moment {
  hrTime: [number, number];
  nanos: string;
}

const BASE_SECONDS = Math.floor(Date.now() / 1000) - 60;

/** Counts from one minute before the tests started. */
export function moment(seconds: number, nanoseconds: number): Moment {
  const hrTime: [number, number] = [BASE_SECONDS + seconds, nanoseconds];
  return { hrTime, nanos: `${hrTime[0]}${String(nanoseconds).padStart(9, '0')}` };
}

export const RESOURCE = (service: string) => ({
  'service.name': service,
  'service.instance.id': 'b7f3c9',
  'host.cpus': 64,
  'host.load': 0.75,
  'host.is.virtual': true,
  'process.command_args': ['node', '--flag', 'main.js'],
});

/** The resource above as the columns hold it. */
export const RESOURCE_PAIRS = (service: string): [string, string][] => [
  ['service.name', service],
  ['service.instance.id', 'b7f3c9'],
  ['host.cpus', '64'],
  ['host.load', '0.75'],
  ['host.is.virtual', 'true'],
  ['process.command_args', '["node","--flag","main.js"]'],
];
