/** Recorded requests in the logs of a data directory. Nothing is written, and an engine may run on it meanwhile. */
import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  DATA_FILE,
  listNames,
  listSegments,
  logHash,
  segmentDirectory,
  segmentsDirectory,
} from '../queue/log/layout.ts';
import { isAbsent, openSegmentView, type SegmentView } from '../queue/log/lmdb/store.ts';
import { preflightSegment } from '../queue/log/preflight.ts';
import { peekRecord, RECORD_HEADER_BYTES, readRecordBytes } from '../queue/log/record.ts';
import { isTrialJournal } from '../registry/sampling-trial.ts';
import { LOG_NAME } from './orphan-logs.ts';
import type { BatchRead, SampleSink, SkippedPart } from './sample-sink.ts';

/** Records that one worker reads before the next one has its turn, in bytes. */
const BATCH_BYTES = 4 * 1024 * 1024;
/**
 * Records of a batch that arrived within this time count as having arrived together: the spans of a trace often come
 * in requests that follow each other, and what they say is put together before it is looked up. A decision of the
 * engine is no more exact, as it waits for its commits.
 */
const SECTION_MS = 10;
const MAP_BYTES = 384 * 1024 * 1024;
const FIRST_RECORD_BYTES = 1024 * 1024;
const PENDING = '+pending';

/** Logs to be read, and in which order their records arrived. Plain data: it goes to other threads. */
export interface LogPlan {
  kind: 'log';
  /** Directories, one for each worker of the engine that recorded. */
  logs: string[];
  segments: { log: number; firstOrdinal: number }[];
  /** In the order of arrival. */
  records: { segment: Uint32Array; key: Float64Array };
  /** Number of the first record of each batch, and how many records there are. */
  batches: Uint32Array;
  sizeBytes: number;
  skipped: SkippedPart[];
}

/** Whether a path is, or holds, logs. */
export function isLogDirectory(path: string): boolean {
  return existsSync(segmentsDirectory(path)) || existsSync(join(path, 'logs'));
}

/**
 * The logs that a replay reads.
 * @param from a data directory, or the directory of one log.
 * @param name of logs without their number; needed where more than one could be meant.
 */
export function findLogs(from: string, name: string | undefined): { logs: string[] } | { error: string } {
  if (existsSync(segmentsDirectory(from))) return { logs: [from] };
  const groups = new Map<string, string[]>();
  for (const file of listNames(join(from, 'logs')).toSorted()) {
    const directory = join(from, 'logs', file);
    const group = file.replace(LOG_NAME, '');
    if (!/^traces(?![a-z])/.test(group) || listSegments(directory).length === 0) continue;
    groups.set(group, [...(groups.get(group) ?? []), directory]);
  }
  const names = [...groups.keys()].toSorted();
  if (name !== undefined) {
    const logs = groups.get(name.replace(LOG_NAME, ''));
    return logs === undefined
      ? { error: `no log "${name}" there; there are: ${names.join(', ')}` }
      : { logs };
  }
  // What a pending log holds has not been sampled yet; the log behind it holds a part of the same spans.
  const pending = names.filter((each) => each.endsWith(PENDING));
  const chosen = pending.length > 0 ? pending : names;
  if (chosen.length === 1) return { logs: groups.get(chosen[0]!)! };
  if (chosen.length === 0) return { error: 'there is no log with traces in it' };
  return { error: `there are several logs, choose with --log: ${names.join(', ')}` };
}

interface FoundRecord {
  segment: number;
  key: number;
  /** When it arrived; that of the record before where its own cannot be read, 0 where it was not asked for. */
  time: number;
  size: number;
}

/** @param sinceUnixMs records received before are left out; a negative number counts from the newest. */
export async function planLogs(logs: string[], sinceUnixMs: number): Promise<LogPlan> {
  const skipped: SkippedPart[] = [];
  const segments: LogPlan['segments'] = [];
  const found: FoundRecord[] = [];
  // Even the head of a record has to be copied with all of it, so times are asked for where order depends on them.
  const wantsTimes = logs.length > 1 || sinceUnixMs !== 0;
  for (const [log, directory] of logs.entries()) {
    for (const firstOrdinal of listSegments(directory)) {
      const segment = segments.push({ log, firstOrdinal }) - 1;
      await listRecords(directory, firstOrdinal, skipped, wantsTimes, (key, time, size) =>
        found.push({ segment, key, time: time ?? found.at(-1)?.time ?? 0, size }),
      );
    }
  }
  // Stable: records of one log keep their order.
  if (logs.length > 1) found.sort((a, b) => a.time - b.time);
  const newestUnixMs = found.reduce((newest, { time }) => Math.max(newest, time), 0);
  const since = sinceUnixMs < 0 ? newestUnixMs + sinceUnixMs : sinceUnixMs;
  const wanted = found.filter(({ time }) => time >= since);
  return {
    ...{ kind: 'log', logs, segments, skipped },
    records: {
      segment: Uint32Array.from(wanted, ({ segment }) => segment),
      key: Float64Array.from(wanted, ({ key }) => key),
    },
    batches: batchesOf(wanted),
    sizeBytes: wanted.reduce((sum, { size }) => sum + size, 0),
  };
}

function batchesOf(records: readonly FoundRecord[]): Uint32Array {
  const batches: number[] = [];
  let batchBytes = BATCH_BYTES;
  for (const [index, { size }] of records.entries()) {
    if (batchBytes >= BATCH_BYTES) {
      batches.push(index);
      batchBytes = 0;
    }
    batchBytes += size;
  }
  return Uint32Array.from([...batches, records.length]);
}

async function listRecords(
  directory: string,
  firstOrdinal: number,
  skipped: SkippedPart[],
  wantsTimes: boolean,
  onRecord: (key: number, time: number | undefined, size: number) => void,
): Promise<void> {
  const view = openView(directory, firstOrdinal, skipped);
  if (view === undefined) return;
  const hash = logHash(basename(directory));
  try {
    const keys = view.keys();
    const items = (at: number) => (keys[at + 1] ?? keys[at]!) - keys[at]!;
    const itemsKnown = Math.max((keys.at(-1) ?? 0) - (keys[0] ?? 0), 1);
    const itemBytes = segmentBytes(directory, firstOrdinal) / itemsKnown;
    for (const [at, key] of keys.entries()) {
      const head = wantsTimes ? view.head(key, RECORD_HEADER_BYTES) : undefined;
      const peeked = head && peekRecord(head, hash);
      onRecord(key, peeked?.receivedUnixMs, peeked?.payloadBytes ?? items(at) * itemBytes);
    }
  } finally {
    await view.close();
  }
}

function segmentBytes(directory: string, firstOrdinal: number): number {
  const data = join(segmentDirectory(directory, firstOrdinal), DATA_FILE);
  return statSync(data, { throwIfNoEntry: false })?.size ?? 0;
}

function openView(directory: string, firstOrdinal: number, skipped: SkippedPart[]): SegmentView | undefined {
  const segment = segmentDirectory(directory, firstOrdinal);
  // A damaged database would end the process by a signal.
  const looked = preflightSegment(segment);
  if (looked.outcome === 'void') return undefined;
  if (looked.outcome !== 'good') {
    skipped.push({ place: segment, reason: looked.reason });
    return undefined;
  }
  const sizeBytes = segmentBytes(directory, firstOrdinal);
  try {
    const mapBytes = Math.max(sizeBytes * 2, MAP_BYTES);
    return openSegmentView({ directory: segment, mapBytes, flush: true });
  } catch (error) {
    const reason = isAbsent(error)
      ? 'deleted by the engine meanwhile'
      : `cannot be opened: ${(error as Error).message}`;
    skipped.push({ place: segment, reason });
    return undefined;
  }
}

/** Reads the batches that it is told to take, one in each round of the generator. */
export async function* readLogs(
  { logs, segments, records, batches }: LogPlan,
  takeBatch: () => number,
  sink: SampleSink,
): AsyncGenerator<BatchRead> {
  const views = new OpenViews(logs, segments, sink);
  let buffer = new Uint8Array(FIRST_RECORD_BYTES);
  const take = (sizeBytes: number) => {
    if (sizeBytes > buffer.length) buffer = new Uint8Array(sizeBytes * 2);
    return buffer;
  };
  const section = new OpenSection(sink);
  for (let batch = takeBatch(); batch < batches.length - 1; batch = takeBatch()) {
    let sizeBytes = 0;
    for (let record = batches[batch]!; record < batches[batch + 1]!; record++) {
      const segment = records.segment[record]!;
      const bytes = (await views.of(segment))?.get(records.key[record]!, take);
      sizeBytes += bytes?.length ?? 0;
      const place = () => `${views.placeOf(segment)}: record ${records.key[record]}`;
      readRecord(bytes, views.hashOf(segment), place, sink, section);
    }
    section.end();
    yield { batch, sizeBytes };
  }
  await views.close();
}

function readRecord(
  bytes: Uint8Array | undefined,
  hash: number,
  place: () => string,
  sink: SampleSink,
  section: OpenSection,
): void {
  const record = bytes === undefined ? 'not there any more' : readRecordBytes(bytes, hash);
  if (typeof record === 'string') {
    sink.skip(place(), `damaged: ${record}`);
    return;
  }
  const { payload, entryEnds, receivedUnixMs } = record;
  section.enter(receivedUnixMs, payload.length);
  let start = 0;
  for (let entry = 0; entry < entryEnds.length; entry++) {
    const end = entryEnds[entry]!;
    const request = payload.subarray(start, end);
    start = end;
    if (!isTrialJournal(request)) sink.stored(request, () => `${place()}, request ${entry}`);
  }
}

/** Records that count as having arrived together, with the time of the first of them. */
class OpenSection {
  readonly #sink: SampleSink;
  #arrivedUnixMs = 0;
  #sizeBytes = 0;
  #isOpen = false;

  constructor(sink: SampleSink) {
    this.#sink = sink;
  }

  /** A record comes whose requests belong to the section from now on; ends the one before where it is not the same. */
  enter(arrivedUnixMs: number, sizeBytes: number): void {
    if (this.#isOpen && arrivedUnixMs - this.#arrivedUnixMs >= SECTION_MS) this.end();
    if (!this.#isOpen) this.#arrivedUnixMs = arrivedUnixMs;
    this.#isOpen = true;
    this.#sizeBytes += sizeBytes;
  }

  end(): void {
    if (this.#isOpen) this.#sink.endSection(this.#arrivedUnixMs, this.#sizeBytes);
    this.#isOpen = false;
    this.#sizeBytes = 0;
  }
}

/** One open segment for each log: its records come in their order. */
class OpenViews {
  readonly #logs: readonly string[];
  readonly #segments: LogPlan['segments'];
  readonly #sink: SampleSink;
  readonly #open: { segment: number; view: SegmentView | undefined }[] = [];

  constructor(logs: readonly string[], segments: LogPlan['segments'], sink: SampleSink) {
    this.#logs = logs;
    this.#segments = segments;
    this.#sink = sink;
  }

  async of(segment: number): Promise<SegmentView | undefined> {
    const { log, firstOrdinal } = this.#segments[segment]!;
    const open = this.#open[log];
    if (open?.segment === segment) return open.view;
    await open?.view?.close();
    const skipped: SkippedPart[] = [];
    const view = openView(this.#logs[log]!, firstOrdinal, skipped);
    for (const { place, reason } of skipped) this.#sink.skip(place, reason);
    this.#open[log] = { segment, view };
    return view;
  }

  hashOf(segment: number): number {
    return logHash(basename(this.#logs[this.#segments[segment]!.log]!));
  }

  placeOf(segment: number): string {
    const { log, firstOrdinal } = this.#segments[segment]!;
    return segmentDirectory(this.#logs[log]!, firstOrdinal);
  }

  async close(): Promise<void> {
    for (const { view } of this.#open.filter(Boolean)) await view?.close();
  }
}
