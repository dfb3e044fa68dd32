import type { ReceiverFactory } from '../../component/factory.ts';
import { type Awss3ReceiverConfig, awss3ReceiverConfigSchema } from './config.ts';

/** Read ahead, inflated and cut, with the copies on the way to the ring. */
const AHEAD_BYTES_MAX = 128 << 20;
/** One answer of a queue of the largest size, as text and as messages. */
const ANSWER_BYTES_MAX = 96 << 20;

export const awss3ReceiverFactory: ReceiverFactory<Awss3ReceiverConfig> = {
  kind: 'receiver',
  type: 'awss3',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: awss3ReceiverConfigSchema,
  create: async (settings, config, next) => {
    if (config.queue !== undefined) {
      const { QueueReceiver } = await import('./queue-receiver.ts');
      return new QueueReceiver(settings, config, config.queue, next);
    }
    const { Awss3Receiver } = await import('./awss3-receiver.ts');
    return new Awss3Receiver(settings, config, next);
  },
  bodyBytesMax: ({ messageBytesMax }) => messageBytesMax,
  assemblyBytesMax: ({ queue }) => AHEAD_BYTES_MAX + (queue === undefined ? 0 : ANSWER_BYTES_MAX),
};
