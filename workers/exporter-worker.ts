/** Entry of an exporter worker thread, called by the piscina pool: one task that lives as long as the worker. */
import type { ComponentName } from '../src/registry/components.ts';
import type { ExporterWorkerInit } from '../src/service/messages.ts';

/** Loads its modules with the task and not with the thread, see pipeline-worker.ts. */
export async function runExporterTask(init: ExporterWorkerInit): Promise<void> {
  const task = await import('../src/service/exporter-task.ts');
  await task.runExporterTask(init);
}

/** Loads the modules of the task and of its components, in a thread that nobody ends meanwhile. */
export async function preload(components: readonly ComponentName[]): Promise<void> {
  const { loadComponents } = await import('../src/registry/load.ts');
  await Promise.all([import('../src/service/exporter-task.ts'), loadComponents(components)]);
}
