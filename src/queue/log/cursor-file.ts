/**
 * Position of one exporter on disk: two slots of 64 KiB, written in turn, so that a torn write harms only the newer
 * one and the older one is the state before a freeze() that was never confirmed. A plain file and not an LMDB
 * environment: one flush of one page instead of two of four, and no damage in it can end the process.
 *
 * | offset | type     | field of a slot                                             |
 * | ------ | -------- | ----------------------------------------------------------- |
 * | 0      | u32      | magic "MLC1", or "MLC2" when there is a generation          |
 * | 4      | u32      | CRC-32 of everything from offset 8 to the end of the state  |
 * | 8      | f64      | sequence; the valid slot with the larger one counts         |
 * | 16     | f64      | ordinal: everything before it is finished                   |
 * | 24     | u32      | count of frozen batches                                     |
 * | 28     | u32      | hash of the log id                                          |
 * | 32     | 3 x f64  | first, end and 1 when finished, of each frozen batch behind |
 * |        |          | the ordinal: a finished one behind an unfinished one stays  |
 * | ...    | f64      | MLC2 only: generation, how often the cursor was moved back  |
 */
import { readFileSync } from 'node:fs';
import { assert } from '../../stdx/assert.ts';
import { crc32 } from '../../stdx/crc32.ts';
import type { BatchBoundary } from './contract.ts';

const MAGIC = 0x31434c4d;
const MAGIC_WITH_GENERATION = 0x32434c4d;
const GENERATION_BYTES = 8;
export const SLOT_BYTES = 64 * 1024;
const HEADER_BYTES = 32;
const BOUNDARY_BYTES = 24;
/** Far more than any number of parallel senders freezes ahead. */
export const FROZEN_MAX = Math.floor((SLOT_BYTES - HEADER_BYTES - GENERATION_BYTES) / BOUNDARY_BYTES);

export interface FrozenBatch extends BatchBoundary {
  isFinished: boolean;
}

export interface CursorState {
  sequence: number;
  ordinal: number;
  logHash: number;
  /** How often the cursor was moved back. */
  generation: number;
  frozen: readonly FrozenBatch[];
}

/** Bytes of one slot, only as long as the state needs. The slot is `sequence % 2`. */
export function encodeCursorState(state: CursorState): Uint8Array {
  assert(state.frozen.length <= FROZEN_MAX, 'too many frozen batches');
  // The older format where it can say it: an engine of before goes on with it.
  const hasGeneration = state.generation > 0;
  const frozenEnd = HEADER_BYTES + state.frozen.length * BOUNDARY_BYTES;
  const bytes = new Uint8Array(frozenEnd + (hasGeneration ? GENERATION_BYTES : 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, hasGeneration ? MAGIC_WITH_GENERATION : MAGIC, true);
  if (hasGeneration) view.setFloat64(frozenEnd, state.generation, true);
  view.setFloat64(8, state.sequence, true);
  view.setFloat64(16, state.ordinal, true);
  view.setUint32(24, state.frozen.length, true);
  view.setUint32(28, state.logHash, true);
  state.frozen.forEach((batch, index) => {
    const offset = HEADER_BYTES + index * BOUNDARY_BYTES;
    view.setFloat64(offset, batch.first, true);
    view.setFloat64(offset + 8, batch.end, true);
    view.setFloat64(offset + 16, batch.isFinished ? 1 : 0, true);
  });
  view.setUint32(4, crc32(bytes.subarray(8)), true);
  return bytes;
}

function decodeSlot(slot: Uint8Array): CursorState | undefined {
  if (slot.byteLength < HEADER_BYTES) return undefined;
  const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC && magic !== MAGIC_WITH_GENERATION) return undefined;
  const count = view.getUint32(24, true);
  const frozenEnd = HEADER_BYTES + count * BOUNDARY_BYTES;
  const end = frozenEnd + (magic === MAGIC ? 0 : GENERATION_BYTES);
  if (count > FROZEN_MAX || end > slot.byteLength) return undefined;
  if (crc32(slot.subarray(8, end)) !== view.getUint32(4, true)) return undefined;
  const frozen: FrozenBatch[] = [];
  for (let offset = HEADER_BYTES; offset < frozenEnd; offset += BOUNDARY_BYTES) {
    frozen.push({
      first: view.getFloat64(offset, true),
      end: view.getFloat64(offset + 8, true),
      isFinished: view.getFloat64(offset + 16, true) === 1,
    });
  }
  return {
    sequence: view.getFloat64(8, true),
    ordinal: view.getFloat64(16, true),
    logHash: view.getUint32(28, true),
    generation: magic === MAGIC ? 0 : view.getFloat64(frozenEnd, true),
    frozen,
  };
}

/** The newest valid state; `absent` when there is no file, `damaged` when neither slot can be read. */
export function readCursorFile(path: string): CursorState | 'absent' | 'damaged' {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // The second: something else than an exporter's directory.
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent';
    throw error;
  }
  // Made, but the first state was never confirmed.
  if (bytes.byteLength === 0) return 'absent';
  const first = decodeSlot(bytes.subarray(0, SLOT_BYTES));
  const second = decodeSlot(bytes.subarray(SLOT_BYTES, 2 * SLOT_BYTES));
  if (first === undefined || second === undefined) return first ?? second ?? 'damaged';
  return first.sequence > second.sequence ? first : second;
}
