/** Thread entry: connects, says so, waits for the start time, sends, reports an interval every half second. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ProducerInterval } from './producer.ts';
import { openClient, type WorkerTask } from './worker-client.ts';

export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'interval'; readonly interval: ProducerInterval }
  | { readonly kind: 'done'; readonly cpuUs: number };

const REPORT_MS = 500;

async function main(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('worker.ts runs as a worker thread');
  const post = (message: WorkerMessage): void => port.postMessage(message);
  const client = await openClient(workerData as WorkerTask);
  const started = new Promise<number>((resolve) => port.once('message', resolve));
  post({ kind: 'ready' });
  const producer = client.start(await started);
  const report = setInterval(() => post({ kind: 'interval', interval: producer.takeInterval() }), REPORT_MS);
  await producer.run();
  clearInterval(report);
  post({ kind: 'interval', interval: producer.takeInterval() });
  for (const connection of client.connections) connection.close();
  const { user, system } = process.cpuUsage();
  post({ kind: 'done', cpuUs: user + system });
  port.close();
}

await main();
