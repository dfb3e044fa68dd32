/** The metric level of the scan: Metric, its oneof of five data messages, and the shape of their points. */
import { ITEM_REJECTED, type RequestIndex } from '../pdata/request-index.ts';
import { contentStart, type ScanState, scanLongTag, scanMessage, skipUnknown } from './scan-message.ts';
import {
  MESSAGE_EXP_POINT,
  MESSAGE_HISTOGRAM_POINT,
  MESSAGE_KEY_VALUE,
  MESSAGE_NUMBER_POINT,
  MESSAGE_SUMMARY_POINT,
} from './scan-tables.ts';
import * as tags from './tags.ts';
import { lengthEnd, malformed, skipVarint, WIRE_LEN } from './wire-reader.ts';

/** Levels of a Metric and of what is in it, below the request at level 0. */
const METRIC_DEPTH = 3;
const DATA_DEPTH = 4;
const POINT_DEPTH = 5;

const GAUGE = tags.TAG_METRIC_GAUGE >>> 3;
const SUM = tags.TAG_METRIC_SUM >>> 3;
const HISTOGRAM = tags.TAG_METRIC_HISTOGRAM >>> 3;
const EXP_HISTOGRAM = tags.TAG_METRIC_EXPONENTIAL_HISTOGRAM >>> 3;
const SUMMARY = tags.TAG_METRIC_SUMMARY >>> 3;

/** Message type of the points of a data field, 0 for any other field of Metric. */
function pointType(field: number): number {
  if (field === GAUGE || field === SUM) return MESSAGE_NUMBER_POINT;
  if (field === HISTOGRAM) return MESSAGE_HISTOGRAM_POINT;
  if (field === EXP_HISTOGRAM) return MESSAGE_EXP_POINT;
  return field === SUMMARY ? MESSAGE_SUMMARY_POINT : 0;
}

/** Validates the Metric in [start, end), adds it and its data points to the index. */
export function scanMetric(
  bytes: Uint8Array,
  fieldStart: number,
  start: number,
  end: number,
  index: RequestIndex,
  state: ScanState,
): void {
  const metric = index.addMetric(fieldStart, start, end);
  let pos = start;
  while (pos < end) {
    let tag = bytes[pos]!;
    if (tag < 0x80) pos++;
    else {
      pos = scanLongTag(bytes, pos, end, state);
      tag = state.longTag;
    }
    const field = tag >>> 3;
    const isLen = (tag & 7) === WIRE_LEN;
    if (field > tags.TAG_METRIC_METADATA >>> 3 || field === 0 || field === 4 || field === 6 || field === 8) {
      pos = skipUnknown(bytes, tag, pos, end, METRIC_DEPTH);
      continue;
    }
    if (!isLen) throw malformed(`field ${field} with wire type ${tag & 7}`, pos);
    const fieldEnd = lengthEnd(bytes, pos, end);
    const type = pointType(field);
    const content = contentStart(bytes, pos, end);
    if (type !== 0) {
      enterData(index, metric, field, content, fieldEnd);
      scanData(bytes, type, field, content, fieldEnd, index, state);
    } else if (tag === tags.TAG_METRIC_METADATA) {
      state.addElements(1, pos);
      scanMessage(bytes, MESSAGE_KEY_VALUE, content, fieldEnd, DATA_DEPTH, state);
    }
    pos = fieldEnd;
  }
  index.closeMetric();
}

/** The last member of the oneof wins; parts of the same member are merged. Both need a rewrite. */
function enterData(index: RequestIndex, metric: number, field: number, start: number, end: number): void {
  const before = index.metricKind[metric]!;
  if (before !== 0) index.isFragmented = true;
  if (before !== field) index.truncateItems(index.metricFirstItem[metric]!);
  index.metricKind[metric] = field;
  index.metricDataBody[metric] = start;
  index.metricDataEnd[metric] = end;
}

function scanData(
  bytes: Uint8Array,
  type: number,
  metricField: number,
  start: number,
  end: number,
  index: RequestIndex,
  state: ScanState,
): void {
  let pos = start;
  while (pos < end) {
    const fieldStart = pos;
    let tag = bytes[pos]!;
    if (tag < 0x80) pos++;
    else {
      pos = scanLongTag(bytes, pos, end, state);
      tag = state.longTag;
    }
    if (tag === tags.TAG_GAUGE_DATA_POINTS) {
      const pointEnd = lengthEnd(bytes, pos, end);
      const body = contentStart(bytes, pos, end);
      state.addElements(1, fieldStart);
      state.resetItem();
      scanMessage(bytes, type, body, pointEnd, POINT_DEPTH, state);
      const flags = isPointBad(type, state) ? ITEM_REJECTED : 0;
      index.addItem(fieldStart, body, pointEnd, 0, flags);
      pos = pointEnd;
    } else pos = scanDataField(bytes, metricField, tag, pos, end);
  }
}

/** aggregation_temporality and is_monotonic where the message has them, else an unknown field. */
function scanDataField(
  bytes: Uint8Array,
  metricField: number,
  tag: number,
  pos: number,
  end: number,
): number {
  const field = tag >>> 3;
  const hasTemporality = metricField === SUM || metricField === HISTOGRAM || metricField === EXP_HISTOGRAM;
  const isKnown =
    field === tags.TAG_SUM_DATA_POINTS >>> 3 ||
    (field === tags.TAG_SUM_AGGREGATION_TEMPORALITY >>> 3 && hasTemporality) ||
    (field === tags.TAG_SUM_IS_MONOTONIC >>> 3 && metricField === SUM);
  if (!isKnown) return skipUnknown(bytes, tag, pos, end, DATA_DEPTH);
  if ((tag & 7) !== 0 || field === tags.TAG_SUM_DATA_POINTS >>> 3) {
    throw malformed(`field ${field} with wire type ${tag & 7}`, pos);
  }
  return skipVarint(bytes, pos, end);
}

function isPointBad(type: number, state: ScanState): boolean {
  if (state.isItemBad) return true;
  if (type !== MESSAGE_HISTOGRAM_POINT) return false;
  if (state.bucketCount === 0) return state.boundCount !== 0;
  return state.bucketCount !== state.boundCount + 1;
}
