/** The receiver `kafka`: one member of a consumer group for all its signals. */
import { findClientAuthenticator } from '../../component/auth.ts';
import type { Component } from '../../component/component.ts';
import type { RequestConsumer } from '../../component/consumer.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { bearerTokens } from '../../kafka/bearer-token.ts';
import { type KafkaClient, openKafkaClient } from '../../kafka/client.ts';
import { kafkaSasl } from '../../kafka/config-client.ts';
import { GroupConsumer } from '../../kafka/consumer-group.ts';
import type { ConsumerKeys } from '../../kafka/consumer-session.ts';
import { isFound, type TopicSelection } from '../../kafka/consumer-topics.ts';
import { FramePool } from '../../kafka/fetch-frames.ts';
import { joinAsInstance } from '../../kafka/static-member.ts';
import { Prng } from '../../stdx/prng.ts';
import {
  fetchBytesMax,
  inFlightBytesMax,
  type KafkaReceiverConfig,
  rebalanceStrategies,
  recordBytesMax,
  signalTopics,
} from './config.ts';
import { markingRules } from './config-marking.ts';
import { compilePattern, encodingMessage, isEncoding, PATTERN_PREFIX } from './config-topics.ts';
import { ReceiverMetrics } from './metrics.ts';
import { RecordContext } from './record-context.ts';
import { RecordIntake, type TopicUse } from './record-intake.ts';

/** Between two looks at whether a reload has given or taken signals. */
const SIGNALS_LOOK_MS = 500;

interface SignalSource extends TopicUse {
  selection: TopicSelection;
}

export class KafkaReceiver implements Component {
  readonly #settings: ComponentSettings;
  readonly #config: KafkaReceiverConfig;
  readonly #next: RequestConsumer;
  readonly #sources: readonly SignalSource[];
  readonly #intake: RecordIntake;
  readonly #frames = new FramePool();
  #uses = new Map<string, TopicUse | undefined>();
  #signals = '';
  #client: KafkaClient | undefined;
  #consumer: GroupConsumer | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: ComponentSettings, config: KafkaReceiverConfig, next: RequestConsumer) {
    this.#settings = settings;
    this.#config = config;
    this.#next = next;
    this.#sources = SIGNALS.map((signal) => sourceOf(config, signal));
    this.#intake = new RecordIntake({
      settings,
      next,
      metrics: new ReceiverMetrics(
        settings.meter,
        settings.id,
        config.telemetry.metrics.recordsDelay.isEnabled,
      ),
      rules: markingRules(config.marking, config.errorBackoff),
      context: new RecordContext(config.headerExtraction.isEnabled ? config.headerExtraction.headers : []),
      prng: new Prng(settings.clock.unixMs()),
      useOf: (topic) => this.#useOf(topic),
      recordBytesMax: recordBytesMax(config),
      inFlightBytesMax: inFlightBytesMax(config),
      frames: this.#frames,
      consumer: {
        finished: () => this.#consumer?.finished(),
        hold: (offsets) => this.#consumer?.hold(offsets),
        release: (offsets) => this.#consumer?.release(offsets),
      },
    });
  }

  /** The brokers may be away: what they say is logged, and tried again. */
  async start(): Promise<void> {
    this.#checkSignals();
    const { id, logger, clock, meter } = this.#settings;
    const bearerToken = await this.#bearerTokens();
    this.#client = await openKafkaClient({ id: `receiver ${id}`, logger, meter }, this.#config.client, {
      labels: { receiver: id },
      frames: this.#frames,
      ...(bearerToken === undefined ? {} : { bearerToken }),
    });
    const { groupInstanceId } = this.#config;
    if (groupInstanceId !== '') joinAsInstance(this.#client.kafka, groupInstanceId);
    this.#signals = this.#signalsNow();
    this.#consumer = new GroupConsumer({
      client: this.#client,
      keys: consumerKeys(this.#config),
      selection: () => this.#selection(),
      taker: this.#intake,
      settings: { logger, clock },
      prng: new Prng(clock.unixMs()),
    });
    this.#consumer.start();
    this.#timer = setInterval(() => this.#lookAtSignals(), SIGNALS_LOOK_MS);
    this.#timer.unref();
    logger.info('reading', { brokers: this.#client.peer, group: this.#config.groupId });
  }

  /** @throws PipelineError START_FAILED when the extension is not there or gives no credentials of clients. */
  async #bearerTokens(): Promise<(() => Promise<string>) | undefined> {
    const id = kafkaSasl(this.#config.client)?.tokenSource;
    if (id === undefined) return undefined;
    await findClientAuthenticator(this.#settings, id);
    // Found anew for each connection: a reload exchanges extensions under receivers that stay.
    return async () => bearerTokens(await findClientAuthenticator(this.#settings, id), id)();
  }

  async shutdown(deadlineMs: number): Promise<void> {
    clearInterval(this.#timer);
    await this.#consumer?.stop(deadlineMs);
    this.#consumer = undefined;
    this.#client?.close();
    this.#client = undefined;
  }

  /** Sources of the signals that are in a pipeline. */
  #active(): SignalSource[] {
    return this.#sources.filter(({ signal }) => this.#next.signals.has(signal));
  }

  #selection(): TopicSelection {
    const active = this.#active();
    return {
      names: [...new Set(active.flatMap(({ selection }) => selection.names))],
      patterns: active.flatMap(({ selection }) => selection.patterns),
      // Exclusions of one signal must not hide topics of another: `useOf` applies each to its own.
      excluded: active.length === 1 ? active[0]!.selection.excluded : [],
    };
  }

  /** Which signal a topic holds: a name counts more than a pattern, the first pattern more than the others. */
  #useOf(topic: string): TopicUse | undefined {
    if (this.#uses.has(topic)) return this.#uses.get(topic);
    const active = this.#active();
    const use =
      active.find(({ selection }) => selection.names.includes(topic)) ??
      active.find(({ selection }) => isFound(selection, topic));
    this.#uses.set(topic, use);
    return use;
  }

  #checkSignals(): void {
    const readBy = new Map<string, Signal>();
    for (const { signal, selection } of this.#active()) {
      const { encoding } = signalTopics(this.#config, signal);
      if (!isEncoding(signal, encoding)) throw this.#refused(encodingMessage(signal, encoding));
      for (const name of selection.names) {
        const other = readBy.get(name);
        if (other !== undefined) {
          throw this.#refused(
            `topic ${name} cannot hold ${other} and ${signal}: use a receiver for each, in groups of their own`,
          );
        }
        readBy.set(name, signal);
      }
    }
  }

  #refused(message: string): PipelineError {
    return new PipelineError('START_FAILED', `receiver ${this.#settings.id}: ${message}`, {
      permanent: true,
    });
  }

  #signalsNow(): string {
    return [...this.#next.signals].sort().join();
  }

  #lookAtSignals(): void {
    const now = this.#signalsNow();
    if (now === this.#signals) return;
    this.#signals = now;
    this.#uses = new Map();
    void this.#consumer?.reselect();
  }
}

function sourceOf(config: KafkaReceiverConfig, signal: Signal): SignalSource {
  const { topics, encoding } = signalTopics(config, signal);
  const patterns = topics.filter((topic) => topic.startsWith(PATTERN_PREFIX));
  return {
    signal,
    encoding: encoding === 'otlp_proto' ? 'proto' : encoding === 'otlp_json' ? 'json' : 'record',
    selection: {
      names: topics.filter((topic) => !topic.startsWith(PATTERN_PREFIX)),
      patterns: patterns.map((text) => compilePattern(text)!),
      excluded: config[signal].excludeTopics.map((text) => compilePattern(text)!),
    },
  };
}

function consumerKeys(config: KafkaReceiverConfig): ConsumerKeys {
  return {
    groupId: config.groupId,
    rackId: config.rackId,
    initialOffset: config.initialOffset === 'earliest' ? 'earliest' : 'latest',
    sessionTimeoutMs: config.sessionTimeoutMs,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    rebalanceStrategies: rebalanceStrategies(config),
    fetchBytesMin: config.minFetchBytes,
    fetchBytesMax: fetchBytesMax(config),
    fetchPartitionBytesMax: config.maxPartitionFetchBytes,
    fetchWaitMs: config.maxFetchWaitMs,
    commitIntervalMs: config.autocommit.isEnabled ? config.autocommit.intervalMs : 0,
    metadataMaxAgeMs: config.client.metadata.refreshIntervalMs,
  };
}
