import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { scanRequest } from './scan.ts';

const ID = { trace_id: new Uint8Array(16).fill(1), span_id: new Uint8Array(8).fill(2) };

/** The shapes that the scan checks in place, and their neighbours that it does not. */
const VALUES: Record<string, object> = {
  'short text': { string_value: 'abc' },
  'empty text': { string_value: '' },
  'text of 127 bytes': { string_value: 'x'.repeat(127) },
  'text of 200 bytes': { string_value: 'x'.repeat(200) },
  'text of 20 000 bytes': { string_value: 'x'.repeat(20_000) },
  'small int': { int_value: 5 },
  'large int': { int_value: { low: -1, high: 0x7fff_ffff, unsigned: false } },
  'negative int': { int_value: -1 },
  bool: { bool_value: true },
  double: { double_value: 1.5 },
  'empty value': {},
  array: { array_value: { values: [{ int_value: 1 }, { string_value: 'a' }] } },
  map: { kvlist_value: { values: [{ key: 'a', value: { bool_value: false } }] } },
  bytes: { bytes_value: new Uint8Array(3) },
};

function request(value: object): Uint8Array {
  const type = requestType('traces');
  // The second attribute shows when a length swallows its neighbour.
  const attributes = [
    { key: 'key', value },
    { key: 'z', value: { int_value: 1 } },
  ];
  const spans = [{ ...ID, attributes }];
  return new Uint8Array(
    type.encode(type.fromObject({ resource_spans: [{ scope_spans: [{ spans }] }] })).finish(),
  );
}

function decodedCount(bytes: Uint8Array): number | 'refused' | 'invalid UTF-8' {
  try {
    return flattenRequest('traces', bytes).length;
  } catch (error) {
    return /utf-?8/i.test(String(error)) ? 'invalid UTF-8' : 'refused';
  }
}

for (const [name, value] of Object.entries(VALUES)) {
  test(`an attribute of ${name}: every value of every framing byte is refused or decodes with protobufjs`, () => {
    const bytes = request(value);
    const index = new RequestIndex();
    scanRequest('traces', bytes, 0, bytes.length, index);
    assert.equal(index.acceptedCount, 1);
    const first = index.itemBody[0]! + 28;
    // Framing is at both ends of the attributes; long text between them is left alone.
    const positions = Array.from({ length: bytes.length - first }, (_, at) => first + at).filter(
      (at) => at < first + 24 || at > bytes.length - 14,
    );
    let accepted = 0;
    for (const at of positions) {
      const original = bytes[at]!;
      // Long requests take one value in seven: 256 decodes of 20 KB a byte would be slow.
      for (let byte = 0; byte < 256; byte += bytes.length > 1000 ? 7 : 1) {
        bytes[at] = byte;
        try {
          scanRequest('traces', bytes, 0, bytes.length, index);
        } catch (error) {
          assert.ok(error instanceof PipelineError && error.code === 'OTLP_MALFORMED', String(error));
          continue;
        }
        accepted++;
        const decoded = decodedCount(bytes);
        assert.ok(
          decoded === 'invalid UTF-8' || decoded === 1,
          `byte ${at} = ${byte}: protobufjs ${decoded}`,
        );
      }
      bytes[at] = original;
    }
    assert.ok(accepted > positions.length);
  });
}
