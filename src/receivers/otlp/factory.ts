import type { ReceiverFactory } from '../../component/factory.ts';
import { type OtlpReceiverConfig, otlpConfigSchema } from './config.ts';
import { ASSEMBLY_BYTES_MAX } from './limits.ts';

export const otlpReceiverFactory: ReceiverFactory<OtlpReceiverConfig> = {
  kind: 'receiver',
  type: 'otlp',
  stability: { traces: 'alpha', metrics: 'alpha', logs: 'alpha' },
  configSchema: otlpConfigSchema,
  authenticators: ({ protocols }) =>
    (['grpc', 'http'] as const).flatMap((protocol) => {
      const id = protocols[protocol]?.auth?.authenticator;
      return id === undefined ? [] : [{ path: ['protocols', protocol, 'auth', 'authenticator'], id }];
    }),
  create: async (settings, config, next) => {
    const { OtlpReceiver } = await import('./otlp-receiver.ts');
    return new OtlpReceiver(settings, config.protocols, next);
  },
  bodyBytesMax,
  assemblyBytesMax: (config) => Math.max(ASSEMBLY_BYTES_MAX, 2 * bodyBytesMax(config)),
};

function bodyBytesMax({ protocols: { http, grpc } }: OtlpReceiverConfig): number {
  return Math.max(http?.bodyBytesMax ?? 0, grpc?.messageBytesMax ?? 0);
}
