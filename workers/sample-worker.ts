/** Entry of a worker thread of `millrace sample`: one task, told when it is done. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSampleTask, type SampleTaskInit } from '../src/service/sample-task.ts';

await runSampleTask(workerData as SampleTaskInit, parentPort!);
