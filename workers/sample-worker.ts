/** Entry of a worker thread of `millrace sample`: one task, told when it is done. */
import { parentPort } from 'node:worker_threads';
import { loadSamplingTrial } from '../src/registry/sampling-trial.ts';
import { runSampleTask, type SampleTaskInit } from '../src/service/sample-task.ts';

const port = parentPort!;
const init = new Promise<SampleTaskInit>((resolve) => port.once('message', resolve));
await loadSamplingTrial();
await runSampleTask(await init, { post: (message) => port.postMessage(message), check: () => {} });
