/** The one place that finds worker files: beside this tree, with this file's own extension (.ts or compiled .js). */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

export type WorkerFile = 'pipeline-worker' | 'exporter-worker' | 'sample-worker';

export function workerUrl(file: WorkerFile): URL {
  return new URL(`../../workers/${file}${EXTENSION}`, import.meta.url);
}
