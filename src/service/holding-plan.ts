/** Which pipelines hold items back: where their processors are cut, and the pending logs that they need. */
import { PipelineError } from '../component/errors.ts';
import type { ProcessorFactory } from '../component/factory.ts';
import type { CollectorPlan, ComponentPlan, PipelinePlan } from '../config/collector-plan.ts';
import { findFactory, type Registry } from '../registry/registry.ts';

/** Processors of a pipeline, cut at the one that holds items back. */
export interface CutChain {
  before: ComponentPlan[];
  holding: ComponentPlan | undefined;
  after: ComponentPlan[];
}

/** Name of the one reader of a pending log, where others have exporters. */
export const HOLDING_CURSOR = 'holding';

export function holds(registry: Registry, type: string): boolean {
  const factory = findFactory(registry, 'processor', type) as ProcessorFactory<unknown> | undefined;
  return factory?.createHolding !== undefined;
}

/** @throws PipelineError CONFIG_INVALID when a pipeline has two of them. */
export function cutChain(plan: CollectorPlan, pipeline: PipelinePlan, registry: Registry): CutChain {
  const processors = pipeline.processors.map((id) => plan.processors.find((each) => each.id === id)!);
  const at = processors.findIndex(({ type }) => holds(registry, type));
  if (at < 0) return { before: processors, holding: undefined, after: [] };
  const after = processors.slice(at + 1);
  const second = after.find(({ type }) => holds(registry, type));
  if (second !== undefined) {
    const message = `pipeline ${pipeline.id}: ${processors[at]!.id} and ${second.id} both hold traces back; a pipeline can have one of them`;
    throw new PipelineError('CONFIG_INVALID', message, { permanent: true });
  }
  return { before: processors.slice(0, at), holding: processors[at], after };
}
