/** Components whose factories a worker thread needs: it loads these and no others. */
import type { ComponentPlan } from '../config/collector-plan.ts';
import type { ComponentName } from '../registry/components.ts';
import type { ExporterWorkerInit, PipelineWorkerInit } from './messages.ts';

/** Of one worker, or of all of them for threads that are made before their work is known. */
export function exporterWorkerComponents({
  exporters,
  extensions,
}: Pick<ExporterWorkerInit, 'exporters' | 'extensions'>): ComponentName[] {
  return [
    ...exporters.map(({ type }): ComponentName => ({ kind: 'exporter', type })),
    // Exporters may name any of them as their authenticator.
    ...extensions.map(({ type }): ComponentName => ({ kind: 'extension', type })),
  ];
}

export function pipelineWorkerComponents({ chains }: Pick<PipelineWorkerInit, 'chains'>): ComponentName[] {
  const processors = chains.flatMap(({ processors, holding, after }): ComponentPlan[] => {
    return [...processors, ...(holding === undefined ? [] : [holding]), ...after];
  });
  return processors.map(({ type }) => ({ kind: 'processor', type }));
}
