import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestIndex } from '../pdata/request-index.ts';
import { encodedRequest, type Message } from '../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import { otlpType } from '../testkit/otlp-root.ts';
import {
  ANY_ARRAY,
  ANY_BOOL,
  ANY_BYTES,
  ANY_DOUBLE,
  ANY_INT,
  ANY_KVLIST,
  ANY_STRING,
  type AnyValueView,
} from './any-value-view.ts';
import { AttributeCursor, ItemView, RepeatedCursor } from './item-view.ts';
import { scanRequest } from './scan.ts';
import * as tags from './tags.ts';
import { decodeUtf8 } from './wire-reader.ts';

/** Reads an AnyValue by views into the object that protobufjs makes of it. */
function anyValue(view: AnyValueView): Message {
  const { bytes, start, end, kind } = view;
  if (kind === ANY_STRING) return { string_value: view.text() };
  if (kind === ANY_INT) return { int_value: view.int().toString() };
  if (kind === ANY_BOOL) return { bool_value: view.bool() };
  if (kind === ANY_DOUBLE) return { double_value: view.double() };
  if (kind === ANY_BYTES) return { bytes_value: Buffer.from(bytes.subarray(start, end)).toString('base64') };
  if (kind === ANY_KVLIST) {
    const values = attributes(bytes, start, end, tags.TAG_KVLIST_VALUES);
    return { kvlist_value: values.length > 0 ? { values } : {} };
  }
  if (kind !== ANY_ARRAY) return {};
  const values: Message[] = [];
  const cursor = new RepeatedCursor();
  cursor.reset(bytes, start, end, tags.TAG_ARRAY_VALUES);
  while (cursor.next()) {
    const inner = new AttributeCursor().value;
    inner.reset(bytes, cursor.start, cursor.end);
    values.push(anyValue(inner));
  }
  return { array_value: values.length > 0 ? { values } : {} };
}

function attributes(bytes: Uint8Array, start: number, end: number, tag: number): Message[] {
  const list: Message[] = [];
  const cursor = new AttributeCursor();
  cursor.reset(bytes, start, end, tag);
  while (cursor.next()) {
    assert.equal(cursor.keyText(), decodeUtf8(bytes, cursor.keyStart, cursor.keyEnd));
    list.push({ key: cursor.keyText(), value: anyValue(cursor.value) });
  }
  return list;
}

/** protobufjs leaves out what was not on the wire; views read the default there. */
function withDefaults(list: unknown): Message[] {
  const value = (any: Message | undefined): Message => {
    const array = any?.array_value as { values?: Message[] } | undefined;
    if (array?.values !== undefined) return { array_value: { values: array.values.map(value) } };
    const kvlist = any?.kvlist_value as { values?: Message[] } | undefined;
    if (kvlist?.values !== undefined) return { kvlist_value: { values: withDefaults(kvlist.values) } };
    return any ?? {};
  };
  const entries = (list as { key?: string; value?: Message }[] | undefined) ?? [];
  return entries.map((entry) => ({ key: entry.key ?? '', value: value(entry.value) }));
}

test('views read every scalar and attribute of a generated span as protobufjs decodes it', () => {
  const index = new RequestIndex();
  const view = new ItemView();
  fc.assert(
    fc.property(encodedRequest('traces'), (bytes) => {
      scanRequest('traces', bytes, 0, bytes.length, index);
      flattenRequest('traces', bytes).forEach(({ item }, at) => {
        const [body, end] = [index.itemBody[at]!, index.itemEnd[at]!];
        view.reset(bytes, body, end);
        assert.equal(view.text(tags.TAG_SPAN_NAME), item.name ?? '');
        assert.equal(view.int32(tags.TAG_SPAN_KIND), item.kind ?? 0);
        assert.equal(view.int32(tags.TAG_SPAN_FLAGS) >>> 0, item.flags ?? 0);
        assert.equal(
          view.uint64(tags.TAG_SPAN_END_TIME_UNIX_NANO).toString(),
          item.end_time_unix_nano ?? '0',
        );
        const traceId = Buffer.from((item.trace_id as string | undefined) ?? '', 'base64').toString('hex');
        assert.equal(view.hex(tags.TAG_SPAN_TRACE_ID), traceId);
        assert.deepEqual(
          attributes(bytes, body, end, tags.TAG_SPAN_ATTRIBUTES),
          withDefaults(item.attributes),
        );
        if (view.find(tags.TAG_SPAN_STATUS)) {
          const status = new ItemView();
          status.reset(bytes, view.contentStart, view.contentEnd);
          assert.equal(status.int32(tags.TAG_STATUS_CODE), (item.status as Message).code ?? 0);
        } else assert.equal(item.status, undefined);
      });
    }),
    { numRuns: 200 },
  );
});

test('C9: duplicate and empty keys come in wire order, and a key is found by its bytes', () => {
  const type = otlpType('opentelemetry.proto.resource.v1.Resource');
  const pair = (key: string, value: string) => ({ key, value: { string_value: value } });
  const entries = [pair('a', '1'), pair('', '2'), pair('a', '3'), pair('b', '4')];
  const bytes = new Uint8Array(type.encode(type.fromObject({ attributes: entries })).finish());
  assert.deepEqual(attributes(bytes, 0, bytes.length, tags.TAG_RESOURCE_ATTRIBUTES), entries);
  const cursor = new AttributeCursor();
  cursor.reset(bytes, 0, bytes.length, tags.TAG_RESOURCE_ATTRIBUTES);
  const found: string[] = [];
  while (cursor.find(new TextEncoder().encode('a'))) found.push(cursor.value.text());
  assert.deepEqual(found, ['1', '3']);
});

test('C10: int64 extremes, NaN, infinities and times of 2^64-1 are read exactly', () => {
  const type = otlpType('opentelemetry.proto.metrics.v1.NumberDataPoint');
  const view = new ItemView();
  const read = (point: Message) => {
    const bytes = new Uint8Array(type.encode(type.fromObject(point)).finish());
    view.reset(bytes, 0, bytes.length);
  };
  for (const value of [-(2n ** 63n), 2n ** 63n - 1n, -1n, 2n ** 53n + 1n]) {
    read({ as_int: value.toString() });
    assert.equal(view.int64(tags.TAG_NUMBER_POINT_AS_INT), value);
  }
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 5e-324]) {
    read({ as_double: value });
    assert.ok(Object.is(view.double(tags.TAG_NUMBER_POINT_AS_DOUBLE), value));
  }
  read({ time_unix_nano: (2n ** 64n - 1n).toString() });
  assert.equal(view.uint64(tags.TAG_NUMBER_POINT_TIME_UNIX_NANO), 2n ** 64n - 1n);
  assert.equal(view.find(tags.TAG_NUMBER_POINT_START_TIME_UNIX_NANO), false);
  assert.equal(view.uint64(tags.TAG_NUMBER_POINT_START_TIME_UNIX_NANO), 0n);
});
