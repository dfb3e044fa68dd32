/** Every component of this build: one line each, the only file that names them all. */
import type { AnyFactory, ComponentKind } from '../component/factory.ts';

export interface ComponentName {
  kind: ComponentKind;
  type: string;
}

/** A component whose modules nobody has to load who does not use it. */
export interface ComponentEntry extends ComponentName {
  load(): Promise<AnyFactory>;
}

// biome-ignore format: one line each.
export const COMPONENTS: readonly ComponentEntry[] = [
  { kind: 'receiver', type: 'awss3', load: async () => (await import('../receivers/awss3/factory.ts')).awss3ReceiverFactory },
  { kind: 'receiver', type: 'kafka', load: async () => (await import('../receivers/kafka/factory.ts')).kafkaReceiverFactory },
  { kind: 'receiver', type: 'otlp', load: async () => (await import('../receivers/otlp/factory.ts')).otlpReceiverFactory },
  { kind: 'processor', type: 'attributes', load: async () => (await import('../processors/attributes/factory.ts')).attributesProcessorFactory },
  { kind: 'processor', type: 'batch', load: async () => (await import('../processors/batch/factory.ts')).batchProcessorFactory },
  { kind: 'processor', type: 'filter', load: async () => (await import('../processors/filter/factory.ts')).filterProcessorFactory },
  { kind: 'processor', type: 'memory_limiter', load: async () => (await import('../processors/memory_limiter/factory.ts')).memoryLimiterProcessorFactory },
  { kind: 'processor', type: 'probabilistic_sampler', load: async () => (await import('../processors/probabilistic_sampler/factory.ts')).probabilisticSamplerProcessorFactory },
  { kind: 'processor', type: 'resource', load: async () => (await import('../processors/resource/factory.ts')).resourceProcessorFactory },
  { kind: 'processor', type: 'tail_sampling', load: async () => (await import('../processors/tail_sampling/factory.ts')).tailSamplingProcessorFactory },
  { kind: 'exporter', type: 'awss3', load: async () => (await import('../exporters/awss3/factory.ts')).awss3ExporterFactory },
  { kind: 'exporter', type: 'clickhouse', load: async () => (await import('../exporters/clickhouse/factory.ts')).clickhouseExporterFactory },
  { kind: 'exporter', type: 'debug', load: async () => (await import('../exporters/debug/factory.ts')).debugExporterFactory },
  { kind: 'exporter', type: 'file', load: async () => (await import('../exporters/file/factory.ts')).fileExporterFactory },
  { kind: 'exporter', type: 'kafka', load: async () => (await import('../exporters/kafka/factory.ts')).kafkaExporterFactory },
  { kind: 'exporter', type: 'loadbalancing', load: async () => (await import('../exporters/loadbalancing/factory.ts')).loadBalancingExporterFactory },
  { kind: 'exporter', type: 'nop', load: async () => (await import('../exporters/nop/factory.ts')).nopExporterFactory },
  { kind: 'exporter', type: 'otlp', load: async () => (await import('../exporters/otlp/factory.ts')).otlpExporterFactory },
  { kind: 'exporter', type: 'otlphttp', load: async () => (await import('../exporters/otlphttp/factory.ts')).otlpHttpExporterFactory },
  { kind: 'extension', type: 'basicauth', load: async () => (await import('../extensions/basicauth/factory.ts')).basicAuthExtensionFactory },
  { kind: 'extension', type: 'bearertokenauth', load: async () => (await import('../extensions/bearertokenauth/factory.ts')).bearerTokenAuthExtensionFactory },
  { kind: 'extension', type: 'embedded_clickhouse', load: async () => (await import('../extensions/embedded_clickhouse/factory.ts')).embeddedClickhouseExtensionFactory },
  { kind: 'extension', type: 'file_storage', load: async () => (await import('../extensions/file_storage/factory.ts')).fileStorageExtensionFactory },
  { kind: 'extension', type: 'headers_setter', load: async () => (await import('../extensions/headers_setter/factory.ts')).headersSetterExtensionFactory },
  { kind: 'extension', type: 'health_check', load: async () => (await import('../extensions/health_check/factory.ts')).healthCheckExtensionFactory },
  { kind: 'extension', type: 'pprof', load: async () => (await import('../extensions/pprof/factory.ts')).pprofExtensionFactory },
  { kind: 'extension', type: 'zpages', load: async () => (await import('../extensions/zpages/factory.ts')).zpagesExtensionFactory },
];
