/** Every component of this build: one line each, the only file that names them all. */
import { awss3ExporterFactory } from '../exporters/awss3/factory.ts';
import { clickhouseExporterFactory } from '../exporters/clickhouse/factory.ts';
import { debugExporterFactory } from '../exporters/debug/factory.ts';
import { fileExporterFactory } from '../exporters/file/factory.ts';
import { kafkaExporterFactory } from '../exporters/kafka/factory.ts';
import { loadBalancingExporterFactory } from '../exporters/loadbalancing/factory.ts';
import { nopExporterFactory } from '../exporters/nop/factory.ts';
import { otlpExporterFactory } from '../exporters/otlp/factory.ts';
import { otlpHttpExporterFactory } from '../exporters/otlphttp/factory.ts';
import { basicAuthExtensionFactory } from '../extensions/basicauth/factory.ts';
import { bearerTokenAuthExtensionFactory } from '../extensions/bearertokenauth/factory.ts';
import { embeddedClickhouseExtensionFactory } from '../extensions/embedded_clickhouse/factory.ts';
import { fileStorageExtensionFactory } from '../extensions/file_storage/factory.ts';
import { headersSetterExtensionFactory } from '../extensions/headers_setter/factory.ts';
import { healthCheckExtensionFactory } from '../extensions/health_check/factory.ts';
import { pprofExtensionFactory } from '../extensions/pprof/factory.ts';
import { zpagesExtensionFactory } from '../extensions/zpages/factory.ts';
import { attributesProcessorFactory } from '../processors/attributes/factory.ts';
import { batchProcessorFactory } from '../processors/batch/factory.ts';
import { filterProcessorFactory } from '../processors/filter/factory.ts';
import { memoryLimiterProcessorFactory } from '../processors/memory_limiter/factory.ts';
import { probabilisticSamplerProcessorFactory } from '../processors/probabilistic_sampler/factory.ts';
import { resourceProcessorFactory } from '../processors/resource/factory.ts';
import { tailSamplingProcessorFactory } from '../processors/tail_sampling/factory.ts';
import { awss3ReceiverFactory } from '../receivers/awss3/factory.ts';
import { kafkaReceiverFactory } from '../receivers/kafka/factory.ts';
import { otlpReceiverFactory } from '../receivers/otlp/factory.ts';
import { createRegistry } from './registry.ts';

export const BUILTIN = createRegistry([
  awss3ReceiverFactory,
  kafkaReceiverFactory,
  otlpReceiverFactory,
  // Processors.
  attributesProcessorFactory,
  batchProcessorFactory,
  filterProcessorFactory,
  memoryLimiterProcessorFactory,
  probabilisticSamplerProcessorFactory,
  resourceProcessorFactory,
  tailSamplingProcessorFactory,
  // Exporters.
  awss3ExporterFactory,
  clickhouseExporterFactory,
  debugExporterFactory,
  fileExporterFactory,
  kafkaExporterFactory,
  loadBalancingExporterFactory,
  nopExporterFactory,
  otlpExporterFactory,
  otlpHttpExporterFactory,
  // Extensions.
  basicAuthExtensionFactory,
  bearerTokenAuthExtensionFactory,
  embeddedClickhouseExtensionFactory,
  fileStorageExtensionFactory,
  headersSetterExtensionFactory,
  healthCheckExtensionFactory,
  pprofExtensionFactory,
  zpagesExtensionFactory,
]);
