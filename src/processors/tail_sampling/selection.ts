/** Which spans of a stored request go on in a pass. */
import type { HoldingPass } from '../../component/holding.ts';
import { isSameTraceId } from '../../otlp/trace-ids.ts';
import { ITEM_REJECTED, type RequestIndex } from '../../pdata/request-index.ts';
import { VERDICT_SAMPLED } from './policy-set.ts';
import { INFO_VERDICT, type TraceTable, WORD_DECIDED_STEP, WORD_INFO } from './trace-table.ts';

/** Sets ITEM_REJECTED for all spans but those of traces that were sampled in the steps of the pass. @returns the rest. */
export function rejectOthers(
  table: TraceTable,
  bytes: Uint8Array,
  index: RequestIndex,
  pass: HoldingPass,
): number {
  const { words, strideWords } = table;
  const { itemFlags, itemTraceId, itemCount } = index;
  let kept = 0;
  let previous = -1;
  let isKept = false;
  for (let item = 0; item < itemCount; item++) {
    const at = itemTraceId[item]!;
    if (previous < 0 || !isSameTraceId(bytes, at, previous)) {
      previous = at;
      const slot = table.findIn(bytes, at);
      const base = slot * strideWords;
      const decidedStep = slot < 0 ? 0 : words[base + WORD_DECIDED_STEP]!;
      isKept =
        decidedStep > pass.afterStep &&
        decidedStep <= pass.untilStep &&
        (words[base + WORD_INFO]! & INFO_VERDICT) === VERDICT_SAMPLED;
    }
    if (isKept) kept++;
    else itemFlags[item]! |= ITEM_REJECTED;
  }
  index.rejectedCount = itemCount - kept;
  return kept;
}
