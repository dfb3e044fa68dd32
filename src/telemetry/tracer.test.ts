import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTraceParent, type Sampler, SPANS_KEPT_MAX, ThreadTracer } from './tracer.ts';

const SOURCE = { name: 'receiver/otlp/TraceDataReceived', kind: 'receiver', id: 'otlp' } as const;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

function fakeClock() {
  const clock = { nowMs: 0, unixMs: () => 1_000_000 + clock.nowMs, monotonicMs: () => clock.nowMs };
  return clock;
}

function tracer(sampler: Sampler, takesTraceContext = true, clock = fakeClock()) {
  return new ThreadTracer(clock, { sampler, takesTraceContext });
}

test('traceparent: what the specification allows, and nothing else', () => {
  assert.deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-01`), {
    traceId: TRACE,
    spanId: SPAN,
    isSampled: true,
  });
  assert.equal(parseTraceParent(`00-${TRACE}-${SPAN}-00`)?.isSampled, false);
  // A later version may say more.
  assert.equal(parseTraceParent(`cc-${TRACE}-${SPAN}-01-what`)?.traceId, TRACE);
  for (const wrong of [
    '',
    'x',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
  ])
    assert.equal(parseTraceParent(wrong), undefined, wrong);
});

test('a span has its times, its parent and its scope, and is given once', () => {
  const clock = fakeClock();
  const own = tracer({ kind: 'always_on' }, true, clock);
  const span = own.start(SOURCE, `00-${TRACE}-${SPAN}-01`)!;
  clock.nowMs += 250;
  span.end({ accepted_spans: 3 }, 'no room');
  const { spans, lostCount } = own.take()!;
  assert.equal(lostCount, 0);
  const [{ spanId, ...rest }] = spans as [(typeof spans)[number]];
  assert.match(spanId, /^[0-9a-f]{16}$/);
  assert.notEqual(spanId, SPAN);
  assert.deepEqual(rest, {
    scope: {
      name: 'go.opentelemetry.io/collector/receiver/receiverhelper',
      attributes: { 'otelcol.component.id': 'otlp', 'otelcol.component.kind': 'receiver' },
    },
    name: SOURCE.name,
    traceId: TRACE,
    parentSpanId: SPAN,
    startUnixMs: 1_000_000,
    endUnixMs: 1_000_250,
    attributes: { accepted_spans: 3 },
    error: 'no room',
  });
  assert.equal(own.take(), undefined);
});

test('samplers: ratio by trace id, and a parent that decides', () => {
  const parent = (flags: string) => `00-${TRACE}-${SPAN}-${flags}`;
  const byParent = tracer({
    kind: 'parent',
    root: { kind: 'always_off' },
    ifSampled: { kind: 'always_on' },
    ifNotSampled: { kind: 'always_off' },
  });
  assert.equal(byParent.start(SOURCE), undefined);
  assert.ok(byParent.start(SOURCE, parent('01')));
  assert.equal(byParent.start(SOURCE, parent('00')), undefined);
  const half = tracer({ kind: 'ratio', ratio: 0.5 });
  let count = 0;
  for (let i = 0; i < 4000; i++) if (half.start(SOURCE) !== undefined) count++;
  assert.ok(Math.abs(count - 2000) < 300, String(count));
  // a3ce... is above half of all ids.
  assert.equal(half.start(SOURCE, parent('01')), undefined);
  assert.ok(tracer({ kind: 'ratio', ratio: 0.65 }).start(SOURCE, parent('01')));
  assert.equal(tracer({ kind: 'ratio', ratio: 0 }).start(SOURCE), undefined);
  // Without the propagator a header is no parent.
  const deaf = tracer({ kind: 'always_on' }, false);
  deaf.start(SOURCE, parent('01'))!.end({});
  assert.equal(deaf.take()!.spans[0]!.parentSpanId, '');
});

test('nothing is made when it is off; what nobody collects is bounded and counted', () => {
  const off = new ThreadTracer(fakeClock());
  assert.equal(off.isOn, false);
  assert.equal(off.start(SOURCE), undefined);
  const own = tracer({ kind: 'always_on' });
  for (let i = 0; i < SPANS_KEPT_MAX + 7; i++) own.start(SOURCE)!.end({});
  const { spans, lostCount } = own.take()!;
  assert.deepEqual([spans.length, lostCount], [SPANS_KEPT_MAX, 7]);
  const begun = own.start(SOURCE)!;
  own.configure(undefined);
  begun.end({});
  assert.equal(own.take()!.spans.length, 1);
  assert.equal(own.start(SOURCE), undefined);
});
