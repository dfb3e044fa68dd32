/** What each policy alone says about traces, as tables; the values are those of the Collector 0.158. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../../testkit/otlp-arbitraries.ts';
import { decideTrace, policyBed, type SpanModel, withPolicies } from './policies.test-peer.ts';

type Row = readonly [isSampled: boolean, ...spans: SpanModel[]];

function checkTable(policy: Message, rows: readonly Row[], others: Message = {}): void {
  const { set } = policyBed(withPolicies([policy], others));
  for (const [isSampled, ...spans] of rows) {
    const shown = JSON.stringify(spans, (_key, value) => (typeof value === 'bigint' ? `${value}` : value));
    assert.equal(decideTrace(set, spans) === 'sampled', isSampled, `${JSON.stringify(policy)} of ${shown}`);
  }
}

const MS = 1_000_000n;

test('always_sample samples everything', () => {
  checkTable({ type: 'always_sample' }, [[true, {}]]);
});

test('latency counts whole milliseconds between the earliest start and the latest end', () => {
  const at = (start: bigint, end: bigint): SpanModel => ({ start, end });
  const base = 1_700_000_000_000n * MS;
  checkTable({ type: 'latency', latency: { threshold_ms: 100 } }, [
    [false, at(base, base + 100n * MS)],
    [false, at(base, base + 101n * MS - 1n)],
    [true, at(base, base + 101n * MS)],
    [true, at(base + 90n * MS, base + 120n * MS), at(base, base + 1n)],
    [true, at(base, base + 1n), at(base + 90n * MS, base + 120n * MS)],
    [false, at(base + 120n * MS, base)],
    // Times of 64 bits, and a difference that crosses a word.
    [true, at(0xffff_ffffn, 0xffff_ffffn + 101n * MS)],
    [false, at(0xffff_ffffn, 0xffff_ffffn + 100n * MS)],
    [true, at(1n, 2n ** 63n - 1n)],
    // No time is no start; a trace without any begins at 0.
    [false, at(0n, base), at(base, base)],
    [true, at(0n, base)],
  ]);
  checkTable({ type: 'latency', latency: { threshold_ms: 100, upper_threshold_ms: 200 } }, [
    [false, at(base, base + 100n * MS)],
    [true, at(base, base + 101n * MS)],
    [true, at(base, base + 200n * MS)],
    [true, at(base, base + 201n * MS - 1n)],
    [false, at(base, base + 201n * MS)],
    [false, at(base, base + 150n * MS), at(base, base + 300n * MS)],
  ]);
});

test('numeric_attribute has inclusive bounds, of which 0 is none', () => {
  const of = (value: unknown): SpanModel => ({ attributes: { n: value as number } });
  checkTable({ type: 'numeric_attribute', numeric_attribute: { key: 'n', min_value: -5, max_value: 10 } }, [
    [false, of(-6)],
    [true, of(-5)],
    [true, of(10)],
    [false, of(11)],
    [false, of(2n ** 62n)],
    [false, of(-(2n ** 62n))],
    [false, {}],
    // Other kinds are read as 0.
    [true, of('text')],
    [true, of(1.5)],
    [true, of(null)],
    [true, { resource: { n: 7 } }],
    [true, of(99), of(3)],
  ]);
  checkTable({ type: 'numeric_attribute', numeric_attribute: { key: 'n', min_value: 2 } }, [
    [false, of(1)],
    [true, of(2)],
    [true, of(2n ** 63n - 1n)],
    [false, of(-1n)],
    [false, of('2')],
  ]);
  const most = { key: 'n', min_value: 0, max_value: 2 ** 53 - 1 };
  checkTable({ type: 'numeric_attribute', numeric_attribute: most }, [
    [true, of(-(2n ** 63n))],
    [true, of(2n ** 53n - 1n)],
    [false, of(2n ** 53n)],
  ]);
  checkTable(
    { type: 'numeric_attribute', numeric_attribute: { key: 'n', min_value: 2, invert_match: true } },
    [
      [true, of(1)],
      [false, of(2)],
      [true, {}],
      [false, of(1), of(2)],
      [false, { resource: { n: 2 } }],
    ],
  );
});

test('string_attribute compares whole texts, of which the empty one is none', () => {
  const of = (value: unknown): SpanModel => ({ attributes: { other: 'a', s: value as string } });
  const values = ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ü', ''];
  for (const count of [3, 7]) {
    const some = [...values.slice(0, count - 1), ''];
    checkTable({ type: 'string_attribute', string_attribute: { key: 's', values: some } }, [
      [true, of('a')],
      [true, of('bb')],
      [false, of('b')],
      [false, of('bbb')],
      [false, of('')],
      [false, of(1)],
      [false, {}],
      [false, { resource: { s: '' } }],
      [true, { resource: { s: 'a' } }],
      [count === 7, of('ü')],
      [true, of('x'), {}, of('a')],
    ]);
  }
  const inverted = { key: 's', values: ['a'], invert_match: true };
  checkTable({ type: 'string_attribute', string_attribute: inverted }, [
    [false, of('a')],
    [true, of('b')],
    [true, {}],
    [false, of('b'), of('a')],
  ]);
});

test('string_attribute finds expressions anywhere, in an empty text of a resource only', () => {
  const of = (value: unknown): SpanModel => ({ attributes: { s: value as string } });
  const regex = (...values: string[]) => ({ key: 's', values, enabled_regex_matching: true });
  checkTable({ type: 'string_attribute', string_attribute: regex('^/api/v[12]', 'health') }, [
    [true, of('/api/v2/users')],
    [false, of('/api/v3')],
    [true, of('x/healthz')],
    [true, of(`${'x'.repeat(300)}health`)],
    [false, of(5)],
  ]);
  checkTable({ type: 'string_attribute', string_attribute: regex('.*') }, [
    [true, of('a')],
    [false, of('')],
    [false, of(5)],
    [true, { resource: { s: '' } }],
    [true, { resource: { s: 5 } }],
    [false, {}],
  ]);
});

test('boolean_attribute reads other kinds as false', () => {
  const of = (value: unknown): SpanModel => ({ attributes: { b: value as boolean } });
  checkTable({ type: 'boolean_attribute', boolean_attribute: { key: 'b', value: true } }, [
    [true, of(true)],
    [false, of(false)],
    [false, of('true')],
    [false, {}],
    [true, { resource: { b: true } }],
  ]);
  checkTable({ type: 'boolean_attribute', boolean_attribute: { key: 'b', value: false } }, [
    [false, of(true)],
    [true, of(false)],
    [true, of('true')],
    [false, {}],
  ]);
  checkTable(
    { type: 'boolean_attribute', boolean_attribute: { key: 'b', value: true, invert_match: true } },
    [
      [false, of(true)],
      [true, of(false)],
      [true, {}],
    ],
  );
});

test('of attributes with the same key the first one counts', () => {
  const twice = (first: string, second: string) => ({
    attributes: [first, second].map((text) => ({ key: 's', value: { string_value: text } })),
  });
  checkTable({ type: 'string_attribute', string_attribute: { key: 's', values: ['a'] } }, [
    [true, twice('a', 'b')],
    [false, twice('b', 'a')],
    [true, twice('b', 'a'), twice('a', 'b')],
    [false, { resource: twice('b', 'a').attributes }],
  ]);
});

test('status_code looks for any of its codes on any span', () => {
  checkTable({ type: 'status_code', status_code: { status_codes: ['ERROR'] } }, [
    [true, { status: 2 }],
    [true, { status: 1 }, { status: 2 }],
    [false, { status: 1 }, {}],
  ]);
  checkTable({ type: 'status_code', status_code: { status_codes: ['UNSET', 'OK'] } }, [
    [true, {}],
    [true, { status: 0 }],
    [true, { status: 1 }],
    [false, { status: 2 }],
    [false, { status: 7 }],
  ]);
});

test('trace_flags looks at the sampled flag alone', () => {
  checkTable({ type: 'trace_flags' }, [
    [true, { flags: 1 }],
    [true, { flags: 0x101 }],
    [false, { flags: 0x100 }],
    [false, {}],
    [true, {}, { flags: 3 }],
  ]);
});

test('span_count has inclusive bounds', () => {
  const spans = (count: number): SpanModel[] => Array.from({ length: count }, () => ({}));
  checkTable({ type: 'span_count', span_count: { min_spans: 2 } }, [
    [false, ...spans(1)],
    [true, ...spans(2)],
    [true, ...spans(50)],
  ]);
  checkTable({ type: 'span_count', span_count: { min_spans: 2, max_spans: 3 } }, [
    [false, ...spans(1)],
    [true, ...spans(3)],
    [false, ...spans(4)],
  ]);
});

test('trace_state looks for members of a text without flaws', () => {
  const of = (traceState: string): SpanModel => ({ traceState });
  const members = (count: number) => Array.from({ length: count }, (_, at) => `k${at}=v`).join(',');
  checkTable({ type: 'trace_state', trace_state: { key: 'k1', values: ['v', 'w'] } }, [
    [true, of('k1=v')],
    [true, of('a=b,\tk1=w ,c@d=e')],
    [true, of(',,k1=v,')],
    [false, of('k1=x')],
    [false, of('K1=v')],
    [false, of('')],
    [false, {}],
    [false, of('k1=v,a')],
    [false, of('k1=v,a=')],
    [false, of('k1=v,a=b=c')],
    [false, of('k1=v,k1=v')],
    [false, of('k1=v,B=c')],
    [false, of('k1=v,1=c')],
    [true, of('k1=v,1@a=c')],
    [false, of('k1=v,a@1=c')],
    [false, of('k1=v,a b=c')],
    [false, of('k1=v,a=ü')],
    [false, of(`k1=v,a=${'x'.repeat(257)}`)],
    [true, of(`k1=v,a=${'x'.repeat(256)}`)],
    [false, of(`k1=v,a${'x'.repeat(256)}=b`)],
    [true, of(members(32))],
    [false, of(members(33))],
    [true, of('k1=x'), of('k1=v')],
  ]);
  const long = 'x'.repeat(254);
  checkTable({ type: 'trace_state', trace_state: { key: 'k', values: [long] } }, [[true, of(`k=${long}`)]]);
  checkTable({ type: 'trace_state', trace_state: { key: 'k', values: [`${long}x`] } }, [
    [false, of(`k=${long}x`)],
  ]);
});

test('probabilistic keeps the traces that the Collector keeps', () => {
  // FNV-1a of "default-hash-seed" and sixteen bytes 00, 01, ..., computed apart from this code.
  const traceId = Uint8Array.from({ length: 16 }, (_, at) => at);
  let hash = 0xcbf29ce484222325n;
  for (const byte of [...new TextEncoder().encode('default-hash-seed'), ...traceId]) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn;
  }
  const percent = (Number(hash) / 2 ** 64) * 100;
  const rows: [number, boolean][] = [
    [0, false],
    [percent - 1e-9, false],
    [percent + 1e-9, true],
    [100, true],
    [250, true],
  ];
  for (const [sampling_percentage, isSampled] of rows) {
    checkTable({ type: 'probabilistic', probabilistic: { sampling_percentage } }, [[isSampled, { traceId }]]);
  }
});
