/** Entry of a pipeline worker thread, called by the piscina pool: one task that lives as long as the worker. */
import type { PipelineWorkerInit } from '../src/service/messages.ts';

/**
 * Loads its modules with the task and not with the thread: the pool replaces a thread that failed before it is told
 * to end, and ending one while it loads the native storage package would end the process.
 */
export async function runPipelineTask(init: PipelineWorkerInit): Promise<void> {
  const task = await import('../src/service/pipeline-task.ts');
  await task.runPipelineTask(init);
}

/** Loads the modules of the task, in a thread that nobody ends meanwhile. */
export async function preload(): Promise<void> {
  await import('../src/service/pipeline-task.ts');
}
