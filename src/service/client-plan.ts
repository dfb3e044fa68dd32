/** Who wants to know what of clients: what receivers capture and what logs keep follows from the configuration alone. */
import { type ClientKeys, mergeClientKeys } from '../component/client-context.ts';
import type { ExporterFactory, ExtensionFactory, ProcessorFactory } from '../component/factory.ts';
import type { CollectorPlan, PipelinePlan } from '../config/collector-plan.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import { batchingOf, withBatching } from './batching.ts';

/** What an exporter and its authenticators put on its requests. */
export function authClientKeys(
  plan: CollectorPlan,
  registry: Registry,
  exporterId: string,
): ClientKeys | undefined {
  const { type, config } = plan.exporters.find(({ id }) => id === exporterId)!;
  const factory = findFactory(registry, 'exporter', type) as ExporterFactory<unknown>;
  const references = factory.authenticators?.(config) ?? [];
  return mergeClientKeys([
    factory.clientKeys?.(config),
    ...references.map((reference) => {
      const extension = plan.extensions.find(({ id }) => id === reference.id);
      if (extension === undefined) return undefined;
      const owner = findFactory(registry, 'extension', extension.type) as ExtensionFactory<unknown>;
      return owner.clientKeys?.(extension.config);
    }),
  ]);
}

/** What logs of the pipeline keep: what its exporters part batches by. */
export function storedClientKeys(
  plan: CollectorPlan,
  registry: Registry,
  pipeline: PipelinePlan,
): ClientKeys | undefined {
  const batching = batchingOf(plan, registry, pipeline);
  return mergeClientKeys(
    pipeline.exporters.map((id) => {
      const { type, config } = plan.exporters.find((each) => each.id === id)!;
      const factory = findFactory(registry, 'exporter', type) as ExporterFactory<unknown>;
      const delivery = withBatching(factory.delivery(config), batching, authClientKeys(plan, registry, id));
      return delivery.queue.batch.partition;
    }),
  );
}

/** What requests of the pipeline carry from the receiver on: what is stored, and what processors read. */
export function carriedClientKeys(
  plan: CollectorPlan,
  registry: Registry,
  pipeline: PipelinePlan,
): ClientKeys | undefined {
  const processors = pipeline.processors.map((id) => {
    const { type, config } = plan.processors.find((each) => each.id === id)!;
    const factory = findFactory(registry, 'processor', type) as ProcessorFactory<unknown>;
    return factory.clientKeys?.(config);
  });
  return mergeClientKeys([storedClientKeys(plan, registry, pipeline), ...processors]);
}
