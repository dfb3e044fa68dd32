/** Decodes a request with protobufjs into one flat list of items with everything above them, for comparisons. */
import type { Signal } from '../component/signal.ts';
import type { Message } from './otlp-arbitraries.ts';
import { requestType } from './otlp-root.ts';

export interface FlatItem {
  resource: unknown;
  resourceSchemaUrl: unknown;
  scope: unknown;
  scopeSchemaUrl: unknown;
  /** Metric and its data without the points; undefined for the other signals. */
  metric: unknown;
  item: Message;
}

const CONTAINERS: Record<Signal, readonly [string, string, string]> = {
  traces: ['resource_spans', 'scope_spans', 'spans'],
  logs: ['resource_logs', 'scope_logs', 'log_records'],
  metrics: ['resource_metrics', 'scope_metrics', 'metrics'],
};
export const METRIC_DATA = ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'] as const;

/** 64-bit numbers as decimal text, bytes as base64, so that deepEqual compares exactly. */
export const EXACT = { longs: String, bytes: String } as const;

function list(parent: Message, name: string): Message[] {
  return (parent[name] as Message[] | undefined) ?? [];
}

/** Items in wire order. @throws whatever protobufjs says about bytes it cannot decode. */
export function flattenRequest(signal: Signal, bytes: Uint8Array): FlatItem[] {
  const type = requestType(signal);
  const request = type.toObject(type.decode(bytes), EXACT) as Message;
  const [resources, scopes, items] = CONTAINERS[signal];
  const flat: FlatItem[] = [];
  for (const group of list(request, resources)) {
    for (const scoped of list(group, scopes)) {
      const above = {
        resource: group.resource,
        resourceSchemaUrl: group.schema_url,
        scope: scoped.scope,
        scopeSchemaUrl: scoped.schema_url,
      };
      for (const item of list(scoped, items)) {
        if (signal === 'metrics') flattenMetric(item, above, flat);
        else flat.push({ ...above, metric: undefined, item });
      }
    }
  }
  return flat;
}

function flattenMetric(metric: Message, above: Omit<FlatItem, 'metric' | 'item'>, flat: FlatItem[]): void {
  for (const kind of METRIC_DATA) {
    const data = metric[kind] as Message | undefined;
    if (data === undefined) continue;
    const { data_points: points, ...rest } = data;
    for (const item of (points as Message[] | undefined) ?? []) {
      flat.push({ ...above, metric: { ...metric, [kind]: rest }, item });
    }
  }
}
