/**
 * Journal entries of the pending log: what a step decided and which ranges it sent on.
 *
 * An entry has the form of a request that consists of one unknown field, so that whoever reads the log as requests
 * steps over it. Requests of senders hold an item at least, which this field is not.
 *
 * Field 1000, length-delimited; its content, little-endian:
 *
 * | offset | type | field                                                              |
 * | ------ | ---- | ------------------------------------------------------------------ |
 * | 0      | u32  | format version                                                     |
 * | 4      | u32  | step                                                               |
 * | 8      | f64  | everything before this ordinal has gone its way                    |
 * | 16     | u32  | passes                                                             |
 * | 20     | u32  | decisions                                                          |
 * | 24     |      | passes: f64 first, f64 end, u32 after which step, u32 1 if partial |
 * | ...    |      | decisions: 4 words of the trace id, u32 verdict                    |
 */
import { PipelineError } from '../../component/errors.ts';
import type { HoldingPass } from '../../component/holding.ts';

const TAG = [0xc2, 0x3e] as const;
/** Tag and a length of always five bytes. */
const FRAME_BYTES = 7;
const VERSION = 1;
const HEAD_BYTES = 24;
const PASS_BYTES = 24;
export const DECISION_WORDS = 5;
const DECISION_BYTES = DECISION_WORDS * 4;

/** A pass over items of which some may not be decided yet: the range is read again later. */
export interface SamplingPass extends HoldingPass {
  isPartial: boolean;
}

export interface JournalEntry {
  step: number;
  finishedOrdinal: number;
  passes: SamplingPass[];
  decisionCount: number;
  /** DECISION_WORDS each. */
  decisions: Uint32Array;
}

export function isJournalEntry(bytes: Uint8Array): boolean {
  if (bytes.length < FRAME_BYTES + HEAD_BYTES || bytes[0] !== TAG[0] || bytes[1] !== TAG[1]) return false;
  return lengthIn(bytes) === bytes.length - FRAME_BYTES;
}

function lengthIn(bytes: Uint8Array): number {
  let length = 0;
  for (let at = 6; at >= 2; at--) length = length * 128 + (bytes[at]! & 0x7f);
  return length;
}

export function encodeJournal(entry: JournalEntry): Uint8Array {
  const bodyBytes = HEAD_BYTES + entry.passes.length * PASS_BYTES + entry.decisionCount * DECISION_BYTES;
  const bytes = new Uint8Array(FRAME_BYTES + bodyBytes);
  bytes.set(TAG);
  for (let at = 2, left = bodyBytes; at < FRAME_BYTES; at++, left = Math.floor(left / 128))
    bytes[at] = (left & 0x7f) | (at < FRAME_BYTES - 1 ? 0x80 : 0);
  const view = new DataView(bytes.buffer, FRAME_BYTES);
  view.setUint32(0, VERSION, true);
  view.setUint32(4, entry.step, true);
  view.setFloat64(8, entry.finishedOrdinal, true);
  view.setUint32(16, entry.passes.length, true);
  view.setUint32(20, entry.decisionCount, true);
  let at = HEAD_BYTES;
  for (const pass of entry.passes) {
    view.setFloat64(at, pass.first, true);
    view.setFloat64(at + 8, pass.end, true);
    view.setUint32(at + 16, pass.afterStep, true);
    view.setUint32(at + 20, pass.isPartial ? 1 : 0, true);
    at += PASS_BYTES;
  }
  for (let word = 0; word < entry.decisionCount * DECISION_WORDS; word++, at += 4)
    view.setUint32(at, entry.decisions[word]!, true);
  return bytes;
}

/** @throws PipelineError STORAGE_CORRUPT when the entry is not one that this program writes. */
export function decodeJournal(bytes: Uint8Array): JournalEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset + FRAME_BYTES, bytes.length - FRAME_BYTES);
  const passCount = view.getUint32(16, true);
  const decisionCount = view.getUint32(20, true);
  const size = HEAD_BYTES + passCount * PASS_BYTES + decisionCount * DECISION_BYTES;
  if (view.getUint32(0, true) !== VERSION || size !== view.byteLength) {
    const message = 'a journal entry of pending traces has another format';
    throw new PipelineError('STORAGE_CORRUPT', message, { permanent: true });
  }
  const passes: SamplingPass[] = [];
  const step = view.getUint32(4, true);
  for (let pass = 0, at = HEAD_BYTES; pass < passCount; pass++, at += PASS_BYTES) {
    passes.push({
      first: view.getFloat64(at, true),
      end: view.getFloat64(at + 8, true),
      afterStep: view.getUint32(at + 16, true),
      untilStep: step,
      isPartial: view.getUint32(at + 20, true) === 1,
    });
  }
  const decisions = new Uint32Array(decisionCount * DECISION_WORDS);
  const start = HEAD_BYTES + passCount * PASS_BYTES;
  for (let word = 0; word < decisions.length; word++)
    decisions[word] = view.getUint32(start + word * 4, true);
  return {
    step,
    finishedOrdinal: view.getFloat64(8, true),
    passes,
    decisionCount,
    decisions,
  };
}
