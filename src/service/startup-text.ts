/** What a person reads once the engine runs: where to send, how to query, where the data and the metrics are. */
import type { CollectorPlan, ComponentPlan } from '../config/collector-plan.ts';
import type { RunCommand } from './cli.ts';
import type { Engine } from './engine.ts';
import { memoryText } from './memory-budget.ts';

interface Listener {
  host: string | undefined;
  port: number;
}

interface OtlpProtocols {
  protocols: { grpc: Listener | undefined; http: Listener | undefined };
}

/** No host means every address of the machine. */
function address({ host, port }: Listener): string {
  const name = host === undefined || host === '' ? '0.0.0.0' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function otlpLines({ id, config }: ComponentPlan): string[] {
  const { grpc, http } = (config as OtlpProtocols).protocols;
  const lines: string[] = [];
  if (http !== undefined) lines.push(`  send OTLP/HTTP to  ${address(http)}   (${id})`);
  if (grpc !== undefined) lines.push(`  send OTLP/gRPC to  ${address(grpc)}   (${id})`);
  return lines;
}

function queryLines(plan: CollectorPlan): string[] {
  const embedded = plan.extensions.find(({ type }) => type === 'embedded_clickhouse');
  const exporter = plan.exporters.find(({ type }) => type === 'clickhouse');
  if (embedded === undefined || exporter === undefined) return [];
  const { endpoint, database } = exporter.config as { endpoint: string; database: string };
  const query = `SELECT count() FROM ${database}.otel_traces`;
  return [`  query with         curl '${endpoint}/' --data-binary '${query}'`];
}

export function startupText(command: RunCommand, plan: CollectorPlan, engine: Engine): string {
  const metrics = plan.telemetry.metrics.prometheus;
  const data =
    command.durability === 'disk'
      ? `  data on disk       ${engine.dataDir}   (everything answered with OK is flushed there)`
      : `  data in memory     ${engine.dataDir} is never flushed and deleted at the end: a crash loses what waits`;
  const lines = [
    'millrace is ready',
    ...plan.receivers.filter(({ type }) => type === 'otlp').flatMap(otlpLines),
    ...queryLines(plan),
    data,
    `  memory at most     ${memoryText(engine.memoryParts)}`,
    ...(metrics === undefined ? [] : [`  metrics at         ${address(metrics)}/metrics`]),
    '  stop with          Ctrl-C',
  ];
  return `${lines.join('\n')}\n`;
}
