import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { RequestGenerator } from '../testkit/generators.ts';
import { encodedRequest } from '../testkit/otlp-arbitraries.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { JsonWriter } from './json-write.ts';
import { JsonText } from './json-write-text.ts';
import { protoToJson } from './proto-to-json.ts';

const writer = new JsonWriter();

/** What a function gives or throws, as text. */
function resultOf(run: () => string): string {
  try {
    return run();
  } catch (error) {
    return String(error);
  }
}

function assertSame(signal: Signal, bytes: Uint8Array): void {
  const text = resultOf(() => Buffer.from(writer.write(signal, bytes)).toString());
  assert.equal(
    text,
    resultOf(() => protoToJson(signal, bytes)),
  );
}

for (const signal of SIGNALS) {
  test(`${signal}: the text is that of protoToJson, whatever the request`, () => {
    fc.assert(fc.property(encodedRequest(signal), (bytes) => assertSame(signal, bytes)));
  });

  test(`${signal}: so it is for bytes that were damaged`, () => {
    const damaged = fc.tuple(
      encodedRequest(signal),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    );
    fc.assert(
      fc.property(damaged, ([bytes, changes]) => {
        const changed = Uint8Array.from(bytes);
        for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value;
        assertSame(signal, changed);
        assertSame(signal, changed.subarray(0, changed.length >> 1));
      }),
      { numRuns: 300 },
    );
  });
}

test('texts with escapes, other alphabets and broken UTF-8', () => {
  const type = requestType('logs');
  const texts = [
    '"',
    '\\',
    '\n\t\b\u0001',
    'Grüße, 世界 🚀',
    '\u2028\u2029',
    '\u007f',
    'x'.repeat(100_000),
    '',
  ];
  for (const text of texts) {
    const record = { body: { string_value: text }, severity_text: text };
    const request = { resource_logs: [{ scope_logs: [{ log_records: [record] }] }] };
    const bytes = type.encode(type.fromObject(request)).finish();
    assertSame('logs', bytes);
    const broken = Uint8Array.from(bytes);
    broken[broken.length - 1] = 0xff;
    assertSame('logs', broken);
  }
});

test('64-bit integers keep all digits', () => {
  const numbers = [
    0n,
    1n,
    9n,
    10n,
    999_999_999n,
    1_000_000_000n,
    4_294_967_295n,
    4_294_967_296n,
    2n ** 53n + 1n,
  ];
  const more = [
    1_795_280_865_123_456_789n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 1n,
    10n ** 18n,
    10n ** 9n - 1n,
  ];
  const text = new JsonText();
  for (const value of [...numbers, ...more]) {
    for (const isSigned of [false, true]) {
      const expected = isSigned ? BigInt.asIntN(64, value) : value;
      text.reset();
      text.int64(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)), isSigned);
      assert.equal(Buffer.from(text.bytes.subarray(0, text.pos)).toString(), `"${expected}"`);
    }
  }
});

test('requests of ordinary traffic', () => {
  for (const signal of SIGNALS) {
    const generator = new RequestGenerator({ signal, itemsPerRequest: 50, seed: 1 });
    assertSame(signal, generator.next(0, 1_795_280_865_123));
  }
});
