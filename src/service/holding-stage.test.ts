import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../stdx/prng.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { encodeSpans, type SpanModel, spansIn, World } from './holding-world.test-peer.ts';

/** A length-delimited field of less than 16 KiB. */
function field(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  return Uint8Array.from([
    tag,
    ...(length < 128 ? [length] : [(length & 127) | 128, length >> 7]),
    ...content,
  ]);
}

function traceId(model: SpanModel): Uint8Array {
  const type = requestType('traces');
  const request = type.decode(encodeSpans([model])) as never as {
    resource_spans: [{ scope_spans: [{ spans: [{ trace_id: Uint8Array }] }] }];
  };
  return request.resource_spans[0].scope_spans[0].spans[0].trace_id;
}

/** A request with one span in front of which stands the trace id of another trace, which does not count. */
function withIdInFront(model: SpanModel, other: SpanModel): Uint8Array {
  const type = requestType('traces');
  const whole = encodeSpans([model]);
  const request = type.decode(whole) as never as { resource_spans: { scope_spans: { spans: object[] }[] }[] };
  const spanType = type.root.lookupType('opentelemetry.proto.trace.v1.Span');
  const span = spanType.encode(request.resource_spans[0]!.scope_spans[0]!.spans[0]!).finish();
  const both = Uint8Array.from([...field(0x0a, traceId(other)), ...span]);
  return field(0x0a, field(0x12, field(0x12, both)));
}

test('a span with two trace ids goes the way of the one that counts', async () => {
  const world = new World({}, new Prng(5));
  await world.open();
  const kept: SpanModel = { trace: 1, span: 1, name: 'keep' };
  const dropped: SpanModel = { trace: 2, span: 2, name: 'work' };
  const unknown: SpanModel = { trace: 9, span: 9, name: 'work' };
  assert.ok(await world.send([kept, dropped]));
  assert.ok(await world.sendBytes(withIdInFront({ trace: 1, span: 3, name: 'work' }, unknown), 1));
  assert.ok(await world.sendBytes(withIdInFront({ trace: 1, span: 4, name: 'work' }, dropped), 1));
  assert.ok(await world.sendBytes(withIdInFront({ trace: 2, span: 5, name: 'work' }, kept), 1));
  world.nowMs += 6000;
  while (await world.stage.stepOnce());
  assert.deepEqual(spansIn(world.output), [1, 3, 4]);
});
