/** Entry of a pipeline worker thread, called by the piscina pool: one task that lives as long as the worker. */
import type { ComponentName } from '../src/registry/components.ts';
import type { PipelineWorkerInit } from '../src/service/messages.ts';

/**
 * Loads its modules with the task and not with the thread: the pool replaces a thread that failed before it is told
 * to end, and ending one while it loads the native storage package would end the process.
 */
export async function runPipelineTask(init: PipelineWorkerInit): Promise<void> {
  const task = await import('../src/service/pipeline-task.ts');
  await task.runPipelineTask(init);
}

/** Loads the modules of the task and of its components, in a thread that nobody ends meanwhile. */
export async function preload(components: readonly ComponentName[]): Promise<void> {
  const { loadComponents } = await import('../src/registry/load.ts');
  await Promise.all([import('../src/service/pipeline-task.ts'), loadComponents(components)]);
}
