/** Reads pending logs, and takes over those of workers that are not there any more. */
import type { HoldingProcessor } from '../component/holding.ts';
import type { Logger } from '../component/settings.ts';
import type { Signal } from '../component/signal.ts';
import { scanRequest } from '../otlp/scan.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import type { LogCursor, LogReader, LogRecord, LogWriter } from '../queue/log/contract.ts';

export interface PendingImport {
  reader: LogReader;
  cursor: LogCursor;
}

interface ImportTarget {
  signal: Signal;
  holder: HoldingProcessor;
  pending: LogWriter;
  logger: Logger;
}

/** Records that reach into [first, end); the event loop gets its turn behind each. */
export async function* recordsOf(reader: LogReader, first: number, end: number): AsyncGenerator<LogRecord> {
  for (let at = first; at < end; ) {
    const record = reader.readRecord(at);
    if (record === undefined || record.firstOrdinal >= end) return;
    at = record.endOrdinal;
    yield record;
    reader.release(record);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Requests and journal entries of a record, as views of its payload; none of a damaged one. */
export function* entriesOf(record: LogRecord): Generator<{ bytes: Uint8Array; endOrdinal: number }> {
  let start = 0;
  for (let entry = 0; entry < record.entryEnds.length; entry++) {
    const end = record.entryEnds[entry]!;
    const endOrdinal = record.firstOrdinal + record.entryItemEnds[entry]!;
    yield { bytes: record.payload.subarray(start, end), endOrdinal };
    start = end;
  }
}

/**
 * Stores the requests of another pending log as if they came now, but decided as they were there. A crash on the way
 * has it done again, so that items may go on twice.
 * @returns how many items were stored; reader and cursor are closed.
 */
export async function importPending(
  { reader, cursor }: PendingImport,
  target: ImportTarget,
): Promise<number> {
  const { holder, pending, signal, logger } = target;
  for (const boundary of cursor.frozen) cursor.finish(boundary);
  const first = cursor.ordinal;
  const end = reader.endOrdinal();
  let finished = first;
  for await (const record of recordsOf(reader, first, end))
    for (const { bytes } of entriesOf(record))
      if (holder.isJournal(bytes)) finished = Math.max(finished, holder.importJournal(bytes));
  const index = new RequestIndex();
  let items = 0;
  for await (const record of recordsOf(reader, finished, end)) {
    if (record.damaged)
      logger.error('pending items are damaged on disk and lost', {
        log: reader.logId,
        from: record.firstOrdinal,
      });
    for (const { bytes, endOrdinal } of entriesOf(record)) {
      if (endOrdinal <= finished || holder.isJournal(bytes)) continue;
      scanRequest(signal, bytes, 0, bytes.length, index);
      while (!pending.tryAppend(bytes, index.itemCount, record.receivedUnixMs, true)) await pending.commit();
      holder.observe(bytes, index, record.receivedUnixMs, pending.appendedOrdinal);
      items += index.itemCount;
    }
  }
  await pending.commit();
  if (end > first) {
    await cursor.freeze([{ first, end }]);
    cursor.finish({ first, end });
  }
  await cursor.close();
  await reader.close();
  return items;
}
