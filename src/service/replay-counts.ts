/** What a replay has done so far, over all its runs. Plain data: it is kept with the position. */
import type { Signal } from '../component/signal.ts';

const LISTED_MAX = 100;

export interface WrongObject {
  key: string;
  reason: string;
  /** Of what could be read before. */
  itemCount: number;
}

export interface ReplayCounts {
  /** Read to their ends, wrong ones among them. */
  objects: number;
  /** As stored. */
  bytes: number;
  batches: number;
  delivered: Record<Signal, number>;
  /** Items that the backend refused for good. */
  refused: number;
  /** The first reasons of that. */
  refusals: string[];
  /** Items that are no valid OTLP by themselves, such as spans without ids. */
  invalid: number;
  /** Objects of signals that were not asked for, and manifests. */
  leftOut: number;
  wrongCount: number;
  /** The first of them. */
  wrong: WrongObject[];
}

export function emptyReplayCounts(): ReplayCounts {
  return {
    ...{ objects: 0, bytes: 0, batches: 0, delivered: { traces: 0, metrics: 0, logs: 0 } },
    ...{ refused: 0, refusals: [], invalid: 0, leftOut: 0, wrongCount: 0, wrong: [] },
  };
}

export function itemsDelivered({ delivered }: ReplayCounts): number {
  return delivered.traces + delivered.metrics + delivered.logs;
}

export function addWrong(counts: ReplayCounts, object: WrongObject): void {
  counts.wrongCount++;
  if (counts.wrong.length < LISTED_MAX) counts.wrong.push(object);
}

export function addRefusal(counts: ReplayCounts, itemCount: number, reason: string): void {
  counts.refused += itemCount;
  if (counts.refusals.length < LISTED_MAX && !counts.refusals.includes(reason)) counts.refusals.push(reason);
}
