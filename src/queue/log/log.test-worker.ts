/** An exporter's thread in the log's tests: reads behind a cursor, freezes and finishes batches, tells what it saw. */
import { parentPort, workerData } from 'node:worker_threads';
import type { LogDescriptor } from './contract.ts';
import { openLogCursor } from './file-cursor.ts';
import { openLogReader } from './open.ts';

export interface WorkerOrder {
  descriptor: LogDescriptor;
  cursorName: string;
  /** Stops after this ordinal. */
  untilOrdinal: number;
  /** Opens and closes the reader again after that many records: races with the writer's own opening and closing. */
  reopenEvery: number;
  /** After that many records the thread dies of an exception, or hangs until it is terminated. */
  end?: { afterRecords: number; by: 'throw' | 'hang' };
}

export interface WorkerReport {
  records: number;
  items: number;
  /** Requests whose first eight bytes are not their ordinal. */
  wrong: number;
  damaged: number;
}

function endBadly(by: 'throw' | 'hang'): void {
  if (by === 'throw') throw new Error('thread dies');
  parentPort?.postMessage('hanging');
  for (;;);
}

const order = workerData as WorkerOrder;
const report: WorkerReport = { records: 0, items: 0, wrong: 0, damaged: 0 };
const cursor = await openLogCursor(order.descriptor, order.cursorName);
let reader = openLogReader(order.descriptor);
// Batches that a terminated thread left unfinished come first, under their old boundaries.
for (const boundary of cursor.frozen) {
  for (let ordinal = boundary.first; ordinal < boundary.end; ) {
    const record = reader.readRecord(ordinal);
    if (record === undefined || record.damaged) throw new Error(`frozen items at ${ordinal} cannot be read`);
    ordinal = record.endOrdinal;
  }
  cursor.finish(boundary);
}
while (cursor.ordinal < order.untilOrdinal) {
  if (!(await reader.waitBeyond(cursor.ordinal, 1_000))) continue;
  const record = reader.readRecord(cursor.ordinal);
  if (record === undefined) continue;
  report.records++;
  report.items += record.endOrdinal - record.firstOrdinal;
  if (record.damaged) report.damaged++;
  let byteStart = 0;
  let itemStart = 0;
  const view = new DataView(record.payload.buffer, record.payload.byteOffset, record.payload.byteLength);
  for (const [index, byteEnd] of record.entryEnds.entries()) {
    if (view.getFloat64(byteStart, true) !== record.firstOrdinal + itemStart) report.wrong++;
    byteStart = byteEnd;
    itemStart = record.entryItemEnds[index] as number;
  }
  const boundary = { first: record.firstOrdinal, end: record.endOrdinal };
  await cursor.freeze([boundary]);
  if (order.end?.afterRecords === report.records) endBadly(order.end.by);
  cursor.finish(boundary);
  if (report.records % order.reopenEvery === 0) {
    await reader.close();
    reader = openLogReader(order.descriptor);
  }
}
await reader.close();
await cursor.close();
parentPort?.postMessage(report);
