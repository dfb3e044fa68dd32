import { scanRequest } from '../src/otlp/scan.ts';
import { compileCondition } from '../src/ottl/condition.ts';
import { OttlCursor } from '../src/ottl/cursor.ts';
import { RequestIndex } from '../src/pdata/request-index.ts';
import type { Suite } from './harness.ts';
import { request, SPANS } from './inputs.ts';

const bytes = request('traces');
const index = new RequestIndex();
scanRequest('traces', bytes, 0, bytes.length, index);

/** Evaluates conditions over all spans of the request, each span's bytes read once for all of them. */
function evaluating(texts: readonly string[], isGeneric: boolean): () => number {
  const conditions = texts.map((text) => compileCondition(text, { context: 'span', isGeneric }));
  const cursor = new OttlCursor();
  return () => {
    let heldCount = 0;
    cursor.begin('traces', bytes, index);
    for (let item = 0; item < index.itemCount; item++) {
      cursor.moveToItem(item);
      for (const condition of conditions) if (condition.evaluate(cursor)) heldCount++;
    }
    return heldCount;
  };
}

/** @param atLeast gate; single conditions have none, because reading the span is most of their cost. */
function suite(name: string, texts: readonly string[], atLeast?: number): Suite {
  return {
    name: `conditions-${name}`,
    item: 'span',
    itemsPerOp: SPANS,
    bytesPerOp: bytes.length,
    variants: { 'on bytes': evaluating(texts, false), 'on values': evaluating(texts, true) },
    gates: atLeast === undefined ? [] : [{ fast: 'on bytes', slow: 'on values', atLeast }],
  };
}

const ATTRIBUTE = 'attributes["http.route"] == "/api/v1/checkout"';
const MATCH = 'IsMatch(attributes["http.route"], "^/api/v1/(checkout|pay)")';
const STATUS = 'attributes["http.response.status_code"] >= 500';
const DURATION = 'end_time_unix_nano - start_time_unix_nano > 250000000';

export const suites: readonly Suite[] = [
  suite('attribute', [ATTRIBUTE]),
  suite('match', [MATCH]),
  suite('int', [STATUS]),
  suite('duration', [DURATION]),
  suite('kind', ['kind == SPAN_KIND_SERVER and status.code != STATUS_CODE_ERROR']),
  suite(
    'eight',
    [
      ATTRIBUTE,
      MATCH,
      STATUS,
      DURATION,
      'kind == 2',
      'name == "GET"',
      'IsRootSpan()',
      'attributes["app.items.count"] > 11',
    ],
    1.5,
  ),
];
