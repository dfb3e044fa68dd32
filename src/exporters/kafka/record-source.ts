/** The records of a batch: topics, keys and values as the configuration wants them. */
import type { ClientContext } from '../../component/client-context.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch } from '../../component/exporter.ts';
import type { Signal } from '../../component/signal.ts';
import { findEncoder } from '../../encodings/encoders.ts';
import type { BatchPlan } from './batch-plan.ts';
import { isTopicName, type KafkaExporterConfig, type SignalConfig } from './config.ts';
import { type EncodeValues, valueEncoder } from './record-values.ts';
import { attributeText, resourceGroups } from './resource-groups.ts';
import { ResourceKeys } from './resource-key.ts';
import { TraceGroups } from './trace-groups.ts';

/** Requests for one topic. */
export interface TopicPart {
  topic: string;
  requests: readonly Uint8Array[];
}

type Grouping = 'none' | 'trace' | 'resource';

/** What data may name is bounded: each name is a topic that a broker makes, and memory here as long as the engine runs. */
export const CHOSEN_TOPICS_MAX = 1000;

export class RecordSource {
  readonly #config: KafkaExporterConfig;
  readonly #own: SignalConfig;
  readonly #grouping: Grouping;
  readonly #encode: EncodeValues;
  readonly #isProto: boolean;
  readonly #chosen = new Set<string>();
  readonly #traces: TraceGroups | undefined;
  readonly #resourceKeys = new ResourceKeys();

  constructor(config: KafkaExporterConfig, own: SignalConfig, signal: Signal) {
    this.#config = config;
    this.#own = own;
    this.#isProto = own.encoding === 'otlp_proto';
    const encoder = findEncoder(signal, own.encoding);
    if (encoder === undefined && !this.#isProto && own.encoding !== 'otlp_json') {
      throw new PipelineError('CONFIG_INVALID', `encoding "${own.encoding}" is not there for ${signal}`, {
        permanent: true,
      });
    }
    this.#encode = valueEncoder(signal, own.encoding, encoder);
    this.#grouping = groupingOf(config, signal);
    if (this.#grouping === 'trace' && signal !== 'metrics') this.#traces = new TraceGroups(signal);
  }

  /** Client metadata, then the resource attribute, then the configured topic. @throws PipelineError EXPORT_REJECTED. */
  topicParts({ slices, client }: ExportBatch): TopicPart[] {
    const { topic, topicFromMetadataKey } = this.#own;
    const { topicFromAttribute } = this.#config;
    const named = firstValue(client, topicFromMetadataKey);
    if (named !== undefined) return [{ topic: this.#chosenTopic(named), requests: slices }];
    if (topicFromAttribute === '') return [{ topic, requests: slices }];
    const parts = new Map<string, Uint8Array[]>();
    for (const { request, resource } of resourceGroups(slices)) {
      const chosen = attributeText(resource, topicFromAttribute);
      const wanted = chosen === undefined ? topic : this.#chosenTopic(chosen);
      const part = parts.get(wanted);
      if (part === undefined) parts.set(wanted, [request]);
      else part.push(request);
    }
    return [...parts].map(([name, requests]) => ({ topic: name, requests }));
  }

  /** @throws PipelineError EXPORT_REJECTED, permanent: the items become dead letters. */
  #chosenTopic(name: string): string {
    if (this.#chosen.has(name)) return name;
    if (!isTopicName(name)) {
      const shown = JSON.stringify(name.slice(0, 100));
      throw new PipelineError('EXPORT_REJECTED', `${shown} is not a name of a topic`, { permanent: true });
    }
    if (this.#chosen.size >= CHOSEN_TOPICS_MAX) {
      const message = `topic ${name} would be one more than the ${CHOSEN_TOPICS_MAX} that attributes and metadata may name`;
      throw new PipelineError('EXPORT_REJECTED', message, { permanent: true });
    }
    this.#chosen.add(name);
    return name;
  }

  /** Adds the records of a part to the plan, which knows its topic. */
  async addTo(
    plan: BatchPlan,
    { topic, requests }: TopicPart,
    client: ClientContext | undefined,
  ): Promise<void> {
    const key = firstValue(client, this.#own.messageKeyFromMetadataKey);
    const clientKey = key === undefined ? undefined : Buffer.from(key, 'latin1');
    if (this.#traces !== undefined) {
      for (const slice of requests) await this.#addTraces(plan, topic, this.#traces, slice, clientKey);
    } else if (this.#grouping === 'resource') {
      for (const { request, resource } of resourceGroups(requests)) {
        const own = clientKey ?? this.#resourceKeys.keyOf(resource);
        await this.#add(plan, topic, own, [request]);
      }
    } else await this.#add(plan, topic, clientKey, requests);
  }

  async #addTraces(
    plan: BatchPlan,
    topic: string,
    traces: TraceGroups,
    slice: Uint8Array,
    clientKey: Uint8Array | undefined,
  ): Promise<void> {
    const others: { key: Uint8Array | undefined; request: Uint8Array }[] = [];
    // Without a pause: other batches use the same arrays, and a promise for each trace would cost more than the trace.
    for (const { key: traceKey, request } of traces.groups(slice)) {
      const key = clientKey ?? traceKey;
      const isFitting = request.length <= plan.valueBytesMax(topic, key?.length ?? 0);
      if (this.#isProto && isFitting) plan.add(topic, key, [request], true);
      else others.push({ key, request: request.slice() });
    }
    for (const { key, request } of others) await this.#add(plan, topic, key, [request]);
  }

  async #add(
    plan: BatchPlan,
    topic: string,
    key: Uint8Array | undefined,
    requests: readonly Uint8Array[],
  ): Promise<void> {
    const bytesMax = plan.valueBytesMax(topic, key?.length ?? 0);
    for (const value of await this.#encode(requests, bytesMax))
      plan.add(topic, key ?? value.key, value.slices, false);
  }
}

function groupingOf(config: KafkaExporterConfig, signal: Signal): Grouping {
  if (signal === 'traces') return config.partitionsTracesById ? 'trace' : 'none';
  if (signal === 'metrics') return config.partitionsMetricsByResource ? 'resource' : 'none';
  if (config.partitionsLogsByTraceId) return 'trace';
  return config.partitionsLogsByResource ? 'resource' : 'none';
}

function firstValue(client: ClientContext | undefined, name: string): string | undefined {
  return name === '' ? undefined : client?.metadata.get(name.toLowerCase())?.[0];
}
