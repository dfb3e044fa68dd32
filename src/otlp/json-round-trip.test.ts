import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../component/errors.ts';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { Prng } from '../stdx/prng.ts';
import { type PlainMessage, requestArbitrary, writeOtlpJson } from '../testkit/otlp-json-arbitrary.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { jsonToProto } from './json-to-proto.ts';
import { protoToJson } from './proto-to-json.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const SEED = Number(process.env.FC_SEED ?? 42);

/** What protobufjs reads from bytes, in a form that compares exactly. */
function decoded(signal: Signal, bytes: Uint8Array): unknown {
  const type = requestType(signal);
  return type.toObject(type.decode(bytes), { longs: String, bytes: String, arrays: false });
}

function encoded(signal: Signal, message: PlainMessage): Uint8Array {
  const type = requestType(signal);
  return type.encode(type.fromObject(message)).finish();
}

for (const signal of SIGNALS) {
  test(`${signal}: JSON from an independent writer means the same as protobuf from protobufjs`, () => {
    fc.assert(
      fc.property(requestArbitrary(signal), fc.nat(), (message, spelling) => {
        const json = writeOtlpJson(requestType(signal), message, new Prng(spelling));
        assert.deepEqual(
          decoded(signal, jsonToProto(signal, utf8(json))),
          decoded(signal, encoded(signal, message)),
        );
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  test(`${signal}: protobuf written as JSON and read again is the same request`, () => {
    fc.assert(
      fc.property(requestArbitrary(signal), (message) => {
        const bytes = encoded(signal, message);
        const json = protoToJson(signal, bytes);
        JSON.parse(json);
        const back = protoToJson(signal, jsonToProto(signal, utf8(json)));
        assert.equal(back, json);
        assert.deepEqual(
          withoutEmpty(decoded(signal, jsonToProto(signal, utf8(json)))),
          withoutEmpty(decoded(signal, bytes)),
        );
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test(`${signal}: a document cut at any offset is malformed, never half accepted`, () => {
    const [message] = fc.sample(
      requestArbitrary(signal).filter((m) => encoded(signal, m).length > 400),
      {
        seed: SEED,
        numRuns: 1,
      },
    );
    const json = utf8(writeOtlpJson(requestType(signal), message!)).subarray(0, 4_000);
    assert.ok(json.length > 400);
    for (let end = 0; end < json.length - 1; end++) {
      assert.throws(
        () => jsonToProto(signal, json.subarray(0, end)),
        (error) => error instanceof PipelineError && error.code === 'OTLP_MALFORMED' && error.permanent,
        `cut at ${end}`,
      );
    }
  });
}

/** The JSON form shows some absent messages as `{}` and drops ids that are all zero. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutEmpty(item));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value)
    .map(([name, member]) => [name, withoutEmpty(member)] as const)
    .filter(([name, member]) => !isLeftOut(name, member));
  return Object.fromEntries(kept);
}

function isLeftOut(name: string, member: unknown): boolean {
  if (/^(?:trace_id|span_id|parent_span_id)$/.test(name)) return /^A*=*$/.test(String(member));
  if (!/^(?:resource|scope|status|body|value|positive|negative)$/.test(name)) return false;
  return typeof member === 'object' && member !== null && Object.keys(member).length === 0;
}
