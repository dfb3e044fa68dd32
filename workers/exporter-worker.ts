/** Entry of an exporter worker thread, called by the piscina pool: one task that lives as long as the worker. */
export { runExporterTask } from '../src/service/exporter-task.ts';
