/*
 * Fuzz target of the JSON converter: real documents with bytes changed, removed, doubled and mixed. Whatever comes in,
 * the result is protobuf that protobufjs decodes or a typed error, within bounded time, and nothing else changes.
 * Seconds by FUZZ_SECONDS (5), start by FUZZ_SEED, which a failure names.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../component/errors.ts';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { Prng } from '../stdx/prng.ts';
import { requestArbitrary, writeOtlpJson } from '../testkit/otlp-json-arbitrary.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { jsonToProto } from './json-to-proto.ts';
import { protoToJson } from './proto-to-json.ts';

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 5);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
/** One conversion of a document of at most 64 KiB; generous, because the machine may be busy. */
const CONVERT_MS_MAX = 500;
const DOCUMENT_BYTES_MAX = 64 * 1024;
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u',
  '\\ud800',
  'null',
  'true',
  '-',
  '1e9',
  '1e-9',
  '0',
  '9'.repeat(25),
  '.',
  '{}',
  '[]',
  '__proto__',
  '"value":',
  '"NaN"',
  '\u0000',
  '😀',
  '/*',
  '[[[[[[[[',
  '{"a":{"a":',
].map((token) => Buffer.from(token));

function corpus(signal: Signal): Uint8Array[] {
  const type = requestType(signal);
  return fc
    .sample(requestArbitrary(signal), { seed: SEED, numRuns: 60 })
    .map((message, i) =>
      Buffer.from(writeOtlpJson(type, message, new Prng(i))).subarray(0, DOCUMENT_BYTES_MAX),
    );
}

function mutate(document: Uint8Array, other: Uint8Array, prng: Prng): Uint8Array {
  let bytes = Buffer.from(document);
  for (let edits = prng.nextInt(4); edits >= 0; edits--) {
    const at = prng.nextInt(bytes.length + 1);
    const end = Math.min(bytes.length, at + prng.nextInt(1 << prng.nextInt(8)));
    const token = TOKENS[prng.nextInt(TOKENS.length)]!;
    const from = prng.nextInt(other.length + 1);
    const parts = [
      () => [bytes.subarray(0, at), Uint8Array.of(prng.nextInt(256)), bytes.subarray(at + 1)],
      () => [bytes.subarray(0, at), token, bytes.subarray(at)],
      () => [bytes.subarray(0, at), token, bytes.subarray(end)],
      () => [bytes.subarray(0, at), bytes.subarray(end)],
      () => [bytes.subarray(0, end), bytes.subarray(at)],
      () => [bytes.subarray(0, at), other.subarray(from)],
      () => [bytes.subarray(0, at)],
    ][prng.nextInt(7)]!();
    bytes = Buffer.concat(parts).subarray(0, DOCUMENT_BYTES_MAX);
  }
  return bytes;
}

/** protobufjs verifies UTF-8, which OTLP JSON of a careless client need not be. */
function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Converts one document; returns whether it was accepted. */
function check(signal: Signal, json: Uint8Array): boolean {
  const start = performance.now();
  let bytes: Uint8Array;
  try {
    bytes = jsonToProto(signal, json);
  } catch (error) {
    assert.ok(error instanceof PipelineError, `not a typed error: ${String(error)}`);
    assert.ok(error.code === 'OTLP_MALFORMED' || error.code === 'OTLP_LIMIT_EXCEEDED');
    assert.ok(error.permanent);
    return false;
  } finally {
    assert.ok(performance.now() - start < CONVERT_MS_MAX, 'conversion took too long');
  }
  assert.ok(bytes.length <= json.length * 4.5 + 16, 'output out of proportion');
  // What was accepted is JSON for the platform's parser as well, and protobuf for protobufjs.
  JSON.parse(new TextDecoder().decode(json));
  if (isUtf8(json)) requestType(signal).decode(bytes);
  JSON.parse(protoToJson(signal, bytes));
  return true;
}

/** As the value of an unknown field a text is accepted exactly when the platform's parser takes it. */
function checkGrammar(signal: Signal, json: Uint8Array): void {
  // Another signal, so that text which ends the value early cannot go on with a known field of a wrong type.
  const other = signal === 'logs' ? 'traces' : 'logs';
  const wrapped = Buffer.concat([Buffer.from('{"unknown":'), json, Buffer.from('}')]);
  let isJson = true;
  try {
    JSON.parse(new TextDecoder().decode(wrapped));
  } catch {
    isJson = false;
  }
  let refusal: unknown;
  try {
    jsonToProto(other, wrapped);
  } catch (error) {
    refusal = error;
  }
  if (refusal === undefined) assert.ok(isJson, 'accepted what is not JSON');
  else {
    assert.ok(refusal instanceof PipelineError, String(refusal));
    assert.ok(!isJson || refusal.code === 'OTLP_LIMIT_EXCEEDED', `refused JSON: ${refusal.message}`);
  }
}

test(`JSON fuzzing for ${SECONDS} s, seed ${SEED}`, (context) => {
  const prng = new Prng(SEED);
  const documents = Object.fromEntries(SIGNALS.map((signal) => [signal, corpus(signal)])) as Record<
    Signal,
    Uint8Array[]
  >;
  const prototype = Object.getOwnPropertyNames(Object.prototype).join();
  const deadline = performance.now() + SECONDS * 1000;
  let runs = 0;
  let accepted = 0;
  while (performance.now() < deadline) {
    const signal = SIGNALS[prng.nextInt(3)]!;
    const list = documents[signal];
    const json = mutate(list[prng.nextInt(list.length)]!, list[prng.nextInt(list.length)]!, prng);
    try {
      if (check(signal, json)) accepted++;
      checkGrammar(signal, json);
    } catch (error) {
      throw new Error(`FUZZ_SEED=${SEED} run ${runs} ${signal} ${Buffer.from(json).toString('base64')}`, {
        cause: error,
      });
    }
    runs++;
  }
  context.diagnostic(`${runs} documents, ${accepted} accepted`);
  assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), prototype);
  assert.ok(runs > 100 && accepted > 0 && accepted < runs, `${accepted} of ${runs} accepted`);
});
