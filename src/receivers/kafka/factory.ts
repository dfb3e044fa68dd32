import type { ReceiverFactory } from '../../component/factory.ts';
import { SIGNALS } from '../../component/signal.ts';
import { POOL_BYTES_MAX } from '../../kafka/fetch-frames.ts';
import {
  fetchBytesMax,
  inFlightBytesMax,
  type KafkaReceiverConfig,
  kafkaReceiverConfigSchema,
  recordBytesMax,
  signalTopics,
} from './config.ts';
import { isEncoding, isOtlp } from './config-topics.ts';

/** Answers of brokers beside those whose records are in flight: one that comes, and what it unpacks to. */
const FETCH_COPIES = 3;

export const kafkaReceiverFactory: ReceiverFactory<KafkaReceiverConfig> = {
  kind: 'receiver',
  type: 'kafka',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: kafkaReceiverConfigSchema,
  create: async (settings, config, next) => {
    const { KafkaReceiver } = await import('./kafka-receiver.ts');
    return new KafkaReceiver(settings, config, next);
  },
  bodyBytesMax: recordBytesMax,
  recordEncodings: (config) =>
    Object.fromEntries(
      SIGNALS.map((signal) => [signal, signalTopics(config, signal).encoding] as const).filter(
        // What is none is refused when the receiver starts, for the signals that it is used for.
        ([signal, encoding]) => !isOtlp(encoding) && isEncoding(signal, encoding),
      ),
    ),
  assemblyBytesMax: (config) =>
    Math.max(inFlightBytesMax(config), POOL_BYTES_MAX) + FETCH_COPIES * fetchBytesMax(config),
};
