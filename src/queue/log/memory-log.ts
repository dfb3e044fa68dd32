/**
 * The log's contract in plain memory: a model for tests and benches, without native code and without files.
 * What is flushed survives `crash()`, as files survive the process; the rest is gone.
 */
import { assert } from '../../stdx/assert.ts';
import type {
  AppendRefusal,
  BatchBoundary,
  CursorOrigin,
  LogCursor,
  LogDescriptor,
  LogReader,
  LogRecord,
  LogWriter,
} from './contract.ts';
import { FROZEN_MAX } from './cursor-file.ts';
import { DoorbellWait } from './doorbell-wait.ts';
import { QueueBound } from './queue-bound.ts';
import { ContextCollector, readContextSection } from './record-contexts.ts';
import { createSharedWords, LOG_STATE_CLOSED, LOG_STATE_OPEN, SharedWords } from './shared-words.ts';

interface StoredCursor {
  ordinal: number;
  generation?: number;
  frozen: (BatchBoundary & { isFinished: boolean })[];
}

/** What a directory is to the durable log. One writer at a time; any number of readers. */
export class MemoryLog {
  readonly descriptor: LogDescriptor;
  readonly incarnation = 'memory00';
  readonly records: LogRecord[] = [];
  /** Newest mark that survives a crash. */
  mark = 0;
  readonly cursors = new Map<string, StoredCursor>();
  words: SharedWords;
  nextOrdinal = 0;
  /** Wall clock of retention; set by whoever wants time to pass. */
  unixMs = 0;

  constructor(descriptor: LogDescriptor) {
    this.descriptor = descriptor;
    this.words = new SharedWords(createSharedWords(descriptor.cursorNames.length));
  }

  openWriter(): LogWriter {
    return new MemoryLogWriter(this);
  }

  openReader(): LogReader {
    return new MemoryLogReader(this);
  }

  openCursor(name: string): LogCursor {
    return new MemoryLogCursor(this, name);
  }

  /** Handles opened before it must not be used any more. */
  crash(): void {
    // Records that were full before their commit are with the rest that is gone.
    while ((this.records.at(-1)?.endOrdinal ?? 0) > this.nextOrdinal) this.records.pop();
    this.words = new SharedWords(createSharedWords(this.descriptor.cursorNames.length));
  }

  get storedBytes(): number {
    return this.records.reduce((sum, record) => sum + record.payload.byteLength, 0);
  }

  /** End ordinals of the stored requests that some cursor has not passed. */
  waitingEnds(): number[] {
    const positions = this.descriptor.cursorNames.map((name) => this.cursors.get(name)?.ordinal ?? 0);
    const released = Math.min(...positions);
    const ends = this.records.flatMap((record) =>
      Array.from(record.entryItemEnds, (itemEnd) => record.firstOrdinal + itemEnd),
    );
    return ends.filter((end) => end > released);
  }

  /** Records stand for segments here: what is passed goes when it is too old, too much, or in the way. */
  dropReleased(neededBytes = 0): void {
    const { retain, limits } = this.descriptor;
    const released = this.words.releasedByAll(this.words.flushedEnd);
    for (let oldest = this.records[0]; oldest !== undefined && oldest.endOrdinal <= released; ) {
      const isTooOld = (retain?.timeMs ?? Number.POSITIVE_INFINITY) + oldest.receivedUnixMs <= this.unixMs;
      const isTooMuch = this.passedBytes(released) > (retain?.sizeBytes ?? Number.POSITIVE_INFINITY);
      const isInTheWay = this.storedBytes + neededBytes > limits.budgetBytes;
      if (retain !== undefined && !isTooOld && !isTooMuch && !isInTheWay) break;
      this.records.shift();
      oldest = this.records[0];
    }
    this.words.retainedBytes = this.passedBytes(released);
    this.words.oldestUnixMs = this.records[0]?.receivedUnixMs ?? 0;
    this.words.beginOrdinal = this.records[0]?.firstOrdinal ?? this.words.flushedEnd;
  }

  passedBytes(released: number): number {
    const passed = this.records.filter((record) => record.endOrdinal <= released);
    return passed.reduce((sum, record) => sum + record.payload.byteLength, 0);
  }

  /** Moves a cursor that nobody has open, as `rewindCursor` does with a file. */
  rewindCursor(name: string, ordinal: number): void {
    const generation = (this.cursors.get(name)?.generation ?? 0) + 1;
    this.cursors.set(name, { ordinal, generation, frozen: [] });
  }
}

class MemoryLogWriter implements LogWriter {
  readonly failed = false;
  lastRefusal: AppendRefusal | undefined;
  readonly #log: MemoryLog;
  readonly #bound: QueueBound;
  #appended: number;
  #open:
    | {
        payloads: Uint8Array[];
        entryEnds: number[];
        itemEnds: number[];
        contexts: (Uint8Array | undefined)[];
        receivedUnixMs: number;
      }
    | undefined;
  #openBytes = 0;
  #openItems = 0;
  #isClosed = false;

  constructor(log: MemoryLog) {
    this.#log = log;
    this.#appended = log.nextOrdinal;
    this.recoveredMark = log.mark;
    this.#bound = new QueueBound(log.descriptor.limits, log.waitingEnds());
    log.words.publishFlushedEnd(log.nextOrdinal);
    log.words.beginOrdinal = log.records[0]?.firstOrdinal ?? log.nextOrdinal;
    log.words.setState(LOG_STATE_OPEN);
  }

  get logId(): string {
    return this.#log.descriptor.logId;
  }

  get appendedOrdinal(): number {
    return this.#appended;
  }

  get sizeBytes(): number {
    return this.#log.storedBytes + this.#openBytes;
  }

  tryAppend(
    payload: Uint8Array,
    itemCount: number,
    receivedUnixMs: number,
    isOwed = false,
    context?: Uint8Array,
  ): boolean {
    assert(payload.byteLength > 0 && itemCount > 0, 'an empty request has nothing to store');
    const { limits } = this.#log.descriptor;
    this.#log.dropReleased(this.#openBytes + payload.byteLength);
    this.lastRefusal = undefined;
    if (this.#isClosed) this.lastRefusal = 'closed';
    else if (!isOwed && this.sizeBytes + payload.byteLength > limits.budgetBytes) this.lastRefusal = 'budget';
    else {
      const released = this.#log.words.releasedByAll(this.#log.words.flushedEnd);
      this.lastRefusal = this.#bound.refusalOf(itemCount, this.#appended, released);
    }
    if (this.lastRefusal !== undefined) return false;
    if (this.#openBytes > 0 && this.#openBytes + payload.byteLength > limits.recordBytes) this.#store();
    this.#open ??= { payloads: [], entryEnds: [], itemEnds: [], contexts: [], receivedUnixMs };
    this.#open.contexts.push(context?.slice());
    this.#open.payloads.push(new Uint8Array(payload));
    this.#openBytes += payload.byteLength;
    this.#openItems += itemCount;
    this.#open.entryEnds.push(this.#openBytes);
    this.#open.itemEnds.push(this.#openItems);
    this.#appended += itemCount;
    this.#bound.took(this.#appended);
    return true;
  }

  readonly recoveredMark: number;
  #openMark = 0;

  mark(mark: number): void {
    assert(this.#open !== undefined, 'nothing was appended that could be marked');
    this.#store();
    this.#openMark = mark;
  }

  #store(): void {
    if (this.#open === undefined) return;
    this.#log.records.push({
      firstOrdinal: this.#appended - this.#openItems,
      endOrdinal: this.#appended,
      receivedUnixMs: this.#open.receivedUnixMs,
      payload: new Uint8Array(Buffer.concat(this.#open.payloads)),
      entryEnds: Uint32Array.from(this.#open.entryEnds),
      entryItemEnds: Uint32Array.from(this.#open.itemEnds),
      damaged: false,
      ...contextsOf(this.#open.contexts),
    });
    this.#open = undefined;
    this.#openBytes = 0;
    this.#openItems = 0;
  }

  async commit(): Promise<void> {
    this.#store();
    if (this.#openMark !== 0) this.#log.mark = this.#openMark;
    this.#log.nextOrdinal = this.#appended;
    this.#log.dropReleased();
    this.#log.words.publishFlushedEnd(this.#appended);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.commit();
    this.#isClosed = true;
    this.#log.words.setState(LOG_STATE_CLOSED);
  }
}

/** Each one once, as a record on disk has them. */
function contextsOf(entries: readonly (Uint8Array | undefined)[]): Pick<LogRecord, 'contexts'> {
  if (entries.every((context) => context === undefined)) return {};
  const collector = new ContextCollector();
  for (const [entry, context] of entries.entries()) if (context !== undefined) collector.set(entry, context);
  const section = new Uint8Array(collector.bytes(entries.length));
  collector.write(section, entries.length);
  return readContextSection(section, 0, entries.length);
}

class MemoryLogReader implements LogReader {
  readonly #log: MemoryLog;
  readonly #bell: DoorbellWait;

  constructor(log: MemoryLog) {
    this.#log = log;
    this.#bell = new DoorbellWait(log.words);
  }

  get logId(): string {
    return this.#log.descriptor.logId;
  }

  get incarnation(): string {
    return this.#log.incarnation;
  }

  beginOrdinal(): number {
    return this.#log.records[0]?.firstOrdinal ?? this.#log.nextOrdinal;
  }

  endOrdinal(): number {
    return this.#log.words.flushedEnd;
  }

  waitBeyond(ordinal: number, timeoutMs: number): Promise<boolean> {
    return this.#bell.until(() => this.endOrdinal() > ordinal, timeoutMs);
  }

  readRecord(ordinal: number): LogRecord | undefined {
    const end = this.endOrdinal();
    const record = this.#log.records.find((candidate) => candidate.endOrdinal > ordinal);
    if (ordinal >= end || record === undefined || record.firstOrdinal >= end) return undefined;
    return { ...record, payload: record.payload.slice() };
  }

  /** Overwrites it, so that whoever still reads the payload is found out. */
  release(record: LogRecord): void {
    record.payload.fill(0xee);
  }

  async close(): Promise<void> {
    this.#bell.close();
  }
}

class MemoryLogCursor implements LogCursor {
  readonly name: string;
  readonly origin: CursorOrigin;
  readonly #log: MemoryLog;
  readonly #slot: number;
  #state: StoredCursor;

  constructor(log: MemoryLog, name: string) {
    this.name = name;
    this.#log = log;
    this.#slot = log.descriptor.cursorNames.indexOf(name);
    assert(this.#slot >= 0, 'no such cursor');
    const stored = log.cursors.get(name);
    this.origin = stored === undefined ? 'new' : 'restored';
    this.#state = structuredClone(stored ?? { ordinal: log.records[0]?.firstOrdinal ?? 0, frozen: [] });
    this.#persist();
  }

  get ordinal(): number {
    return this.#state.ordinal;
  }

  get frozen(): readonly BatchBoundary[] {
    return this.#state.frozen
      .filter((batch) => !batch.isFinished)
      .map((batch) => ({ first: batch.first, end: batch.end }));
  }

  get generation(): number {
    return this.#state.generation ?? 0;
  }

  get frozenEnd(): number {
    return this.#state.frozen.at(-1)?.end ?? this.ordinal;
  }

  get freezable(): number {
    return FROZEN_MAX - this.#state.frozen.length;
  }

  async freeze(boundaries: readonly BatchBoundary[]): Promise<void> {
    assert(boundaries.length <= this.freezable, 'too many unfinished batches');
    this.#state.frozen.push(...boundaries.map((boundary) => ({ ...boundary, isFinished: false })));
    this.#persist();
  }

  finish(boundary: BatchBoundary): void {
    const own = this.#state.frozen.find(
      (batch) => batch.first === boundary.first && batch.end === boundary.end,
    );
    assert(own !== undefined && !own.isFinished, 'finished a batch that is not frozen');
    own.isFinished = true;
    while (this.#state.frozen[0]?.isFinished === true) {
      this.#state.ordinal = this.#state.frozen[0].end;
      this.#state.frozen.shift();
    }
  }

  #persist(): void {
    this.#log.cursors.set(this.name, structuredClone(this.#state));
    this.#log.words.setReleasedOrdinal(this.#slot, this.ordinal);
  }

  async close(): Promise<void> {
    this.#persist();
  }
}
