/** Processors between the rings and the logs: which log gets what, and what a refusal leaves behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OUTCOME_INTERNAL, OUTCOME_OK, OUTCOME_UNAVAILABLE } from '../component/consumer.ts';
import { PipelineError } from '../component/errors.ts';
import type { Processor, ProcessorRequest } from '../component/processor.ts';
import { sliceItems } from '../otlp/slice.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { DataPath } from './ingest.test-peer.ts';
import { ProcessorChain } from './processor-chain.ts';

const ROUTE = { receiverId: 'otlp', signal: 'traces' as const, logs: [0, 1] };

/** The second log gets what this processor makes of a request. */
function pathWith(process: (request: ProcessorRequest) => void): DataPath {
  const processor: Processor = { start: async () => {}, shutdown: async () => {}, process };
  return new DataPath({
    routes: [ROUTE],
    budgets: [1 << 20, 1 << 20],
    chains: (meter) => [
      { logs: [1], chain: new ProcessorChain('traces', [{ id: 'test', processor }], meter) },
    ],
  });
}

function spans(names: readonly string[]): Uint8Array {
  const type = requestType('traces');
  const items = names.map((name) => ({
    // A name in capitals has no trace id, which makes the span wrong by itself.
    trace_id: new Uint8Array(name === name.toUpperCase() ? 0 : 16).fill(1),
    span_id: new Uint8Array(8).fill(2),
    name,
  }));
  const request = { resource_spans: [{ scope_spans: [{ spans: items }] }] };
  return new Uint8Array(type.encode(type.fromObject(request)).finish());
}

const namesIn = (path: DataPath, log: number) =>
  path.stored(log).flatMap((bytes) => flattenRequest('traces', bytes).map(({ item }) => item.name));

test('the index that a processor gets is that of the bytes it gets, rejected items left out', async () => {
  const seen: string[] = [];
  const path = pathWith((request) => {
    const index = request.index();
    for (let item = 0; item < index.itemCount; item++) {
      const name = request.bytes.subarray(index.itemEnd[item]! - 1, index.itemEnd[item]!);
      seen.push(new TextDecoder().decode(name.slice()));
    }
    assert.equal(index.itemCount, request.itemCount);
    const bytes = request.bytes.slice(request.start, request.end);
    request.replace(sliceItems('traces', bytes, 1, 2), 1);
  });
  path.startWorker();
  const outcome = await path.send(spans(['a', 'X', 'b', 'c']));
  assert.deepEqual([outcome.code, outcome.itemCount, outcome.rejectedCount], [OUTCOME_OK, 4, 1]);
  assert.deepEqual(seen, ['a', 'b', 'c']);
  assert.deepEqual(namesIn(path, 0), ['a', 'b', 'c']);
  assert.deepEqual(namesIn(path, 1), ['b']);
  await path.end();
});

test('a request that becomes empty is acknowledged and stored where it is not empty', async () => {
  const path = pathWith((request) => request.replace(new Uint8Array(0), 0));
  path.startWorker();
  assert.equal((await path.send(spans(['a']))).code, OUTCOME_OK);
  assert.deepEqual(namesIn(path, 0), ['a']);
  assert.deepEqual(path.stored(1), []);
  await path.end();
});

test('a refusal is told as one, and no log of the request gets anything', async () => {
  const refusals = [
    {
      error: new PipelineError('MEMORY_LIMITED', 'no memory', { permanent: false }),
      code: OUTCOME_UNAVAILABLE,
    },
    { error: new TypeError('a bug'), code: OUTCOME_INTERNAL },
  ];
  for (const { error, code } of refusals) {
    let isFailing = true;
    const path = pathWith(() => {
      if (isFailing) throw error;
    });
    path.startWorker();
    const outcome = await path.send(spans(['a', 'b']));
    assert.deepEqual([outcome.code, outcome.itemCount], [code, 2]);
    if (code === OUTCOME_UNAVAILABLE) assert.ok(outcome.message === 'no memory' && outcome.retryAfterMs > 0);
    isFailing = false;
    assert.equal((await path.send(spans(['c']))).code, OUTCOME_OK);
    assert.deepEqual([namesIn(path, 0), namesIn(path, 1)], [['c'], ['c']]);
    await path.end();
  }
});
