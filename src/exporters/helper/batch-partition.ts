/** Parts of a batch that belong to different clients: same boundary, one request to the backend each. */
import { createHash } from 'node:crypto';
import {
  type ClientContext,
  type ClientKeys,
  decodeClientContext,
  encodeClientContext,
  NO_CLIENT_CONTEXT,
  printClientKeys,
} from '../../component/client-context.ts';
import type { Signal } from '../../component/signal.ts';
import { sliceItems } from '../../otlp/slice.ts';
import type { LogRecord } from '../../queue/log/contract.ts';

/** Combinations of one boundary: each costs a request, and they come from headers that clients choose. */
export const PARTS_MAX = 1024;
/** Combinations that are remembered, encoded bytes; forgetting them is harmless, as all of it follows from the bytes. */
const KNOWN_BYTES_MAX = 1 << 20;
const SUFFIX_HEX_DIGITS = 32;

/** Items of a batch that are sent together. */
export interface BatchPart {
  /** Views into private copies of records. */
  slices: Uint8Array[];
  itemCount: number;
  sizeBytes: number;
  /** Of the oldest record, ms since the epoch. */
  receivedUnixMs: number;
  client?: ClientContext;
  /** What the id of the batch gets behind it. */
  idSuffix?: string;
  /** See `ExportBatch`; parts by client are always in memory. */
  readSlices?: () => Iterable<Uint8Array>;
}

/** The batch that parts belong to. */
interface PartedBatch {
  parts: Map<string, BatchPart> | undefined;
  itemCount: number;
  sizeBytes: number;
  receivedUnixMs: number;
  records: LogRecord[];
}

interface Combination {
  readonly client: ClientContext;
  readonly idSuffix: string;
}

export class Partition {
  readonly #keys: ClientKeys;
  /** By encoded context. */
  readonly #known = new Map<string, Combination>();
  #knownBytes = 0;
  /** Combinations of the record last looked at, by the number of the context. */
  #record: LogRecord | undefined;
  #combinations: (Combination | undefined)[] = [];

  constructor(keys: ClientKeys) {
    this.#keys = keys;
  }

  /** The part that an entry of a record belongs to, made when it is the first; undefined: `partsMax` are there. */
  partOf(
    parts: Map<string, BatchPart>,
    record: LogRecord,
    entry: number,
    partsMax: number,
  ): BatchPart | undefined {
    const { client, idSuffix } = this.#combinationOf(record, entry);
    const known = parts.get(idSuffix);
    if (known !== undefined || parts.size >= partsMax) return known;
    const part: BatchPart = { slices: [], itemCount: 0, sizeBytes: 0, receivedUnixMs: 0, client, idSuffix };
    parts.set(idSuffix, part);
    return part;
  }

  #combinationOf(record: LogRecord, entry: number): Combination {
    if (this.#record !== record) {
      this.#record = record;
      this.#combinations = [];
    }
    const number = record.entryContexts?.[entry] ?? 0;
    const combination = this.#combinations[number] ?? this.#find(record.contexts?.[number - 1]);
    this.#combinations[number] = combination;
    return combination;
  }

  #find(context: Uint8Array | undefined): Combination {
    const key = context === undefined ? '' : Buffer.from(context).toString('latin1');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const whole = context === undefined ? NO_CLIENT_CONTEXT : decodeClientContext(context);
    // Only what the keys name parts batches: the log may keep more, for other exporters.
    const encoded = encodeClientContext(whole, this.#keys) ?? new Uint8Array(0);
    // The keys are part of the name: other keys make other parts, which must never pass for these. A backend that
    // has seen the name would drop them.
    const digest = createHash('sha256').update(printClientKeys(this.#keys)).update('\0').update(encoded);
    const idSuffix = `.${digest.digest('hex').slice(0, SUFFIX_HEX_DIGITS)}`;
    const combination = { client: decodeClientContext(encoded), idSuffix };
    if (this.#knownBytes + key.length > KNOWN_BYTES_MAX) {
      this.#known.clear();
      this.#knownBytes = 0;
    }
    this.#knownBytes += key.length;
    this.#known.set(key, combination);
    return combination;
  }
}

/** Appends items [from, to) of an entry, counted from the record's first item; a request cut in two is re-framed. */
function takeFromEntry(
  part: BatchPart,
  signal: Signal,
  record: LogRecord,
  entry: number,
  from: number,
  to: number,
): void {
  const firstItem = entry === 0 ? 0 : record.entryItemEnds[entry - 1]!;
  const startByte = entry === 0 ? 0 : record.entryEnds[entry - 1]!;
  const request = record.payload.subarray(startByte, record.entryEnds[entry]!);
  const isWhole = from === firstItem && to === record.entryItemEnds[entry]!;
  const slice = isWhole ? request : sliceItems(signal, request, from - firstItem, to - firstItem);
  const last = part.slices.at(-1);
  const isNext =
    last !== undefined &&
    last.buffer === slice.buffer &&
    last.byteOffset + last.byteLength === slice.byteOffset;
  // Requests of one client that lie side by side go as one slice.
  if (isNext) {
    part.slices[part.slices.length - 1] = new Uint8Array(
      slice.buffer,
      last.byteOffset,
      last.byteLength + slice.byteLength,
    );
  } else part.slices.push(slice);
  part.sizeBytes += slice.byteLength;
  part.itemCount += to - from;
  if (part.receivedUnixMs === 0) part.receivedUnixMs = record.receivedUnixMs;
}

/** Takes items of an entry into their part; the batch counts them as well. */
export function takeIntoPart(
  batch: PartedBatch,
  part: BatchPart,
  signal: Signal,
  record: LogRecord,
  entry: number,
  range: { from: number; to: number },
): void {
  const bytesBefore = part.sizeBytes;
  takeFromEntry(part, signal, record, entry, range.from, range.to);
  batch.itemCount += range.to - range.from;
  batch.sizeBytes += part.sizeBytes - bytesBefore;
  if (batch.records.at(-1) !== record) batch.records.push(record);
  if (batch.receivedUnixMs === 0) batch.receivedUnixMs = record.receivedUnixMs;
}

/** Takes items [from, to) of a record, counted from its first, each into its part. */
export function takeParts(
  batch: PartedBatch,
  partition: Partition,
  signal: Signal,
  record: LogRecord,
  from: number,
  to: number,
): void {
  for (let entry = 0; entry < record.entryEnds.length; entry++) {
    const range = {
      from: Math.max(from, entry === 0 ? 0 : record.entryItemEnds[entry - 1]!),
      to: Math.min(to, record.entryItemEnds[entry]!),
    };
    if (range.to <= range.from) continue;
    // No bound: the boundary was cut under one, perhaps with other keys.
    const part = partition.partOf(batch.parts!, record, entry, Number.POSITIVE_INFINITY)!;
    takeIntoPart(batch, part, signal, record, entry, range);
  }
}
