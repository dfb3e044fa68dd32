/** Which records of a batch go into which record batch of which partition. The same batch always gives the same plan. */
import { type KeyHasher, partitionOfKey } from '../../kafka/partitioners.ts';
import {
  BATCH_HEAD_BYTES,
  newRecordSet,
  RECORD_HEAD_BYTES_MAX,
  type RecordSet,
  writeRecordHead,
} from '../../kafka/record-batch.ts';
import type { BatchHeaders } from './record-headers.ts';

/** What is known of a topic when its batch is tried first; kept for later attempts. */
export interface TopicPlan {
  partitionCount: number;
  /** Partitions for records without a key: those with a leader, or all when none has. */
  open: readonly number[];
  /** Of one record batch. */
  bytesMax: number;
}

export interface PlanSettings {
  headers: BatchHeaders;
  recordsMax: number;
  /** undefined: keys do not matter. */
  hasher: KeyHasher | undefined;
  /** Where records without a key begin. */
  start: number;
}

export interface PlannedSet {
  topic: string;
  partition: number;
  records: RecordSet;
}

/** Memory for what is copied into a set, so that its records lie back to back. */
interface OpenSet extends PlannedSet {
  arena: Buffer;
  arenaAt: number;
}

/** Smaller values are copied: a chunk of its own costs more than its bytes. */
const COPIED_VALUE_BYTES_MAX = 16_384;
/** The first arena of a set, which a few large values need no more of; the next ones are larger. */
const ARENA_BYTES_MIN = 512;
const ARENA_BYTES_MAX = 262_144;
const ARENA_GROWTH = 8;

interface OpenTopic {
  plan: TopicPlan;
  /** By partition. */
  sets: (OpenSet | undefined)[];
  /** Where records without a key go until the set is full. */
  sticky: OpenSet | undefined;
  /** Sets, or with `round_robin` records, without a key so far. */
  turns: number;
}

export class BatchPlan {
  readonly sets: PlannedSet[] = [];
  readonly #settings: PlanSettings;
  readonly #topics = new Map<string, OpenTopic>();
  #recordIndex = 0;

  constructor(settings: PlanSettings) {
    this.#settings = settings;
  }

  openTopic(topic: string, plan: TopicPlan): void {
    this.#topics.set(topic, { plan, sets: [], sticky: undefined, turns: 0 });
  }

  /** Most bytes of a value with this key; the record and its batch around it then keep the topic's bound. */
  valueBytesMax(topic: string, keyBytes: number): number {
    const around =
      BATCH_HEAD_BYTES + RECORD_HEAD_BYTES_MAX + keyBytes + this.#settings.headers.sizeBytes(999_999);
    return Math.max(this.#topics.get(topic)!.plan.bytesMax - around, 1);
  }

  /**
   * Adds a record.
   * @param isBorrowed the slices change after the call; otherwise large ones are kept as they are.
   */
  add(topic: string, key: Uint8Array | undefined, slices: readonly Uint8Array[], isBorrowed: boolean): void {
    const { headers } = this.#settings;
    let valueBytes = 0;
    for (const slice of slices) valueBytes += slice.length;
    const index = this.#recordIndex++;
    const headersBytes = headers.sizeBytes(index);
    const recordBytesMax = RECORD_HEAD_BYTES_MAX + (key?.length ?? 0) + valueBytes + headersBytes;
    const set = this.#setFor(topic, key, recordBytesMax);
    const { records } = set;
    const isCopied = isBorrowed || valueBytes <= COPIED_VALUE_BYTES_MAX;
    reserve(set, isCopied ? recordBytesMax : recordBytesMax - valueBytes);
    const start = set.arenaAt;
    let at = writeRecordHead(set.arena, start, records.recordCount, key, valueBytes, headersBytes);
    if (isCopied) {
      for (const slice of slices) {
        set.arena.set(slice, at);
        at += slice.length;
      }
    } else {
      extend(set, at);
      records.chunks.push(...slices);
      records.sizeBytes += valueBytes;
    }
    extend(set, headers.write(set.arena, at, index));
    records.recordCount++;
  }

  #setFor(topic: string, key: Uint8Array | undefined, recordBytes: number): OpenSet {
    const open = this.#topics.get(topic)!;
    const { hasher } = this.#settings;
    if (hasher !== undefined && key === undefined) {
      if (open.sticky === undefined || this.#isFull(open, open.sticky, recordBytes))
        open.sticky = this.#newSet(topic, open, this.#turn(open));
      return open.sticky;
    }
    const partition =
      hasher === undefined || key === undefined
        ? this.#turn(open)
        : partitionOfKey(hasher, key, open.plan.partitionCount);
    const set = open.sets[partition];
    if (set !== undefined && !this.#isFull(open, set, recordBytes)) return set;
    return this.#newSet(topic, open, partition);
  }

  #turn(open: OpenTopic): number {
    const at = (this.#settings.start + open.turns++) % open.plan.open.length;
    return open.plan.open[at]!;
  }

  #newSet(topic: string, open: OpenTopic, partition: number): OpenSet {
    const set = { topic, partition, records: newRecordSet(), arena: Buffer.alloc(0), arenaAt: 0 };
    open.sets[partition] = set;
    this.sets.push(set);
    return set;
  }

  #isFull({ plan }: OpenTopic, { records }: PlannedSet, moreBytes: number): boolean {
    const { recordsMax } = this.#settings;
    if (recordsMax > 0 && records.recordCount >= recordsMax) return true;
    return BATCH_HEAD_BYTES + records.sizeBytes + moreBytes > plan.bytesMax;
  }
}

/** What was written to the arena up to `end` belongs to the records; neighbours become one chunk. */
function extend(set: OpenSet, end: number): void {
  const { records, arena, arenaAt } = set;
  const last = records.chunks.at(-1);
  const isNeighbour =
    last !== undefined &&
    last.buffer === arena.buffer &&
    last.byteOffset + last.length === arena.byteOffset + arenaAt;
  if (isNeighbour)
    records.chunks[records.chunks.length - 1] = arena.subarray(last.byteOffset - arena.byteOffset, end);
  else records.chunks.push(arena.subarray(arenaAt, end));
  records.sizeBytes += end - arenaAt;
  set.arenaAt = end;
}

/** Chunks of the arena before it stay valid: it is left to them. */
function reserve(set: OpenSet, sizeBytes: number): void {
  const { arena, arenaAt } = set;
  if (arenaAt + sizeBytes <= arena.length) return;
  const next = Math.min(Math.max(arena.length * ARENA_GROWTH, ARENA_BYTES_MIN), ARENA_BYTES_MAX);
  set.arena = Buffer.allocUnsafeSlow(Math.max(next, sizeBytes));
  set.arenaAt = 0;
}
