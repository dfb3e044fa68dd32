/** Runs a processor as a pipeline does, from YAML values to the bytes it hands on. */
import assert from 'node:assert/strict';
import type { ClientContext } from '../../component/client-context.ts';
import type { ProcessorFactory } from '../../component/factory.ts';
import type { Signal } from '../../component/signal.ts';
import { RecordingLogger } from '../../exporters/helper/delivery.test-peer.ts';
import { scanRequest } from '../../otlp/scan.ts';
import { withoutRejected } from '../../otlp/slice.ts';
import { RequestIndex } from '../../pdata/request-index.ts';
import { ProcessorChain } from '../../service/processor-chain.ts';
import { type Clock, systemClock } from '../../stdx/clock.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { requestType } from '../../testkit/otlp-root.ts';

// biome-ignore lint/suspicious/noExplicitAny: the bed takes factories of every configuration.
type AnyProcessorFactory = ProcessorFactory<any>;

export interface Bed {
  /** @returns the result, or `bytes` itself when nothing changed. */
  process(bytes: Uint8Array, client?: ClientContext): { bytes: Uint8Array; itemCount: number };
  meter: ThreadMeter;
  logger: RecordingLogger;
}

/** @param stages factory and YAML value of each processor. */
export async function processorBed(
  signal: Signal,
  stages: readonly (readonly [AnyProcessorFactory, unknown])[],
  clock: Clock = systemClock,
): Promise<Bed> {
  const meter = new ThreadMeter();
  const logger = new RecordingLogger();
  const processors = [];
  for (const [factory, raw] of stages) {
    const { value, issues } = factory.configSchema.parse(raw);
    assert.deepEqual(issues, []);
    assert.deepEqual(factory.signalIssues?.(value, signal) ?? [], []);
    const id = factory.type;
    processors.push({ id, processor: await factory.create({ id, meter, logger, clock }, value, signal) });
  }
  const chain = new ProcessorChain(signal, processors, meter);
  await chain.start();
  const index = new RequestIndex();
  return {
    meter,
    logger,
    process: (bytes, client) => {
      scanRequest(signal, bytes, 0, bytes.length, index);
      const result = chain.process(bytes, 0, bytes.length, index, client);
      const isSame = result.bytes === bytes && result.start === 0 && result.end === bytes.length;
      const copy = isSame ? bytes : result.bytes.slice(result.start, result.end);
      return { bytes: copy, itemCount: result.itemCount };
    },
  };
}

/** What the pipeline hands to processors of these bytes. */
export function acceptedRequest(signal: Signal, bytes: Uint8Array): Uint8Array {
  const index = new RequestIndex();
  scanRequest(signal, bytes, 0, bytes.length, index);
  return withoutRejected(signal, bytes, 0, bytes.length, index);
}

export function encodeRequest(signal: Signal, request: Message): Uint8Array {
  const type = requestType(signal);
  return new Uint8Array(type.encode(type.fromObject(request)).finish());
}

/** All problems of a configuration, each with its path. */
export function configIssues(factory: AnyProcessorFactory, raw: unknown): string[] {
  return factory.configSchema
    .parse(raw)
    .issues.map(
      ({ path, key, message }) => `${[...path, ...(key === undefined ? [] : [key])].join('.')}: ${message}`,
    );
}
