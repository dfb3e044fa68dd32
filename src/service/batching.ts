/** The `batch` processor's keys on their way to the exporters of its pipeline. */
import { type ClientKeys, mergeClientKeys } from '../component/client-context.ts';
import type { Batching, DeliveryConfig, ProcessorFactory } from '../component/factory.ts';
import type { CollectorPlan, PipelinePlan } from '../config/collector-plan.ts';
import { findFactory, type Registry } from '../registry/registry.ts';

/** How a pipeline wants its batches; of several `batch` processors the last one decides, as it would in a row. */
export function batchingOf(
  plan: CollectorPlan,
  registry: Registry,
  pipeline: PipelinePlan,
): Batching | undefined {
  let batching: Batching | undefined;
  for (const id of pipeline.processors) {
    const { type, config } = plan.processors.find((each) => each.id === id)!;
    const factory = findFactory(registry, 'processor', type) as ProcessorFactory<unknown>;
    const own = factory.batching?.(config);
    if (own !== undefined) batching = { ...own, processorId: id };
  }
  return batching;
}

/**
 * What the user wrote in `sending_queue.batch` of the exporter counts more.
 * @param clientKeys what the exporter's authenticator puts on requests: a request can only have one of each.
 */
export function withBatching(
  config: DeliveryConfig,
  batching: Batching | undefined,
  clientKeys?: ClientKeys | undefined,
): DeliveryConfig {
  const { queue } = config;
  let { batch } = queue;
  if (batching !== undefined && queue.hasOwnBatch !== true) {
    const { processorId: _, ...limits } = batching;
    batch = { ...limits, sizer: 'items' };
  }
  const partition = mergeClientKeys([batch.partition, clientKeys]);
  return { ...config, queue: { ...queue, batch: partition === undefined ? batch : { ...batch, partition } } };
}
