/** Entry of a pipeline worker thread, called by the piscina pool: one task that lives as long as the worker. */
export { runPipelineTask } from '../src/service/pipeline-task.ts';
