import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../component/errors.ts';
import { SIGNALS } from '../component/signal.ts';
import { otlpType, responseType } from '../testkit/otlp-root.ts';
import {
  encodeExportResponse,
  encodeExportResponseJson,
  encodeStatus,
  encodeStatusJson,
  GRPC_RESOURCE_EXHAUSTED,
  GRPC_UNAVAILABLE,
  RETRY_INFO_TYPE_URL,
} from './status.ts';
import {
  decodeExportResponse,
  decodeExportResponseJson,
  decodeStatus,
  decodeStatusJson,
  PEER_MESSAGE_CHARS_MAX,
  RESPONSE_BYTES_MAX,
} from './status-decode.ts';

const STATUS = otlpType('google.rpc.Status');
const RETRY_INFO = otlpType('google.rpc.RetryInfo');
const REJECTED = { traces: 'rejected_spans', metrics: 'rejected_data_points', logs: 'rejected_log_records' };
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value);
const MESSAGES = fc.string({ maxLength: 200, unit: 'grapheme' });

function statusObject(bytes: Uint8Array): {
  code?: number;
  message?: string;
  details?: { type_url: string; value: Uint8Array }[];
} {
  return STATUS.toObject(STATUS.decode(bytes));
}

test('Status is readable for protobufjs, RetryInfo included', () => {
  fc.assert(
    fc.property(
      fc.nat(16),
      MESSAGES,
      fc.option(fc.nat({ max: 2 ** 45 }), { nil: undefined }),
      (code, message, delayMs) => {
        const bytes = encodeStatus(
          delayMs === undefined ? { code, message } : { code, message, retryDelayMs: delayMs },
        );
        const read = statusObject(bytes);
        assert.equal(read.code ?? 0, code);
        assert.equal(read.message ?? '', message);
        assert.equal(read.details?.length ?? 0, delayMs === undefined ? 0 : 1);
        if (delayMs === undefined) return;
        assert.equal(read.details![0]!.type_url, RETRY_INFO_TYPE_URL);
        const info = RETRY_INFO.toObject(RETRY_INFO.decode(read.details![0]!.value), {
          longs: Number,
          defaults: true,
        });
        assert.equal(info.retry_delay.seconds, Math.floor(delayMs / 1000));
        assert.equal(info.retry_delay.nanos, (delayMs % 1000) * 1e6);
      },
    ),
  );
});

test('Status in JSON has the form that protobuf prescribes', () => {
  assert.equal(
    text(encodeStatusJson({ code: GRPC_UNAVAILABLE, message: 'a "b"', retryDelayMs: 1500 })),
    '{"code":14,"message":"a \\"b\\"","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"}]}',
  );
  assert.match(text(encodeStatusJson({ code: 8, message: '', retryDelayMs: 30_000 })), /"retryDelay":"30s"/);
  assert.equal(text(encodeStatusJson({ code: 3, message: 'bad' })), '{"code":3,"message":"bad"}');
});

test('a fraction of a millisecond is rounded up, a negative delay is none', () => {
  assert.equal(decodeStatus(encodeStatus({ code: 14, message: '', retryDelayMs: 0.2 })).retryDelayMs, 1);
  assert.equal(decodeStatus(encodeStatus({ code: 14, message: '', retryDelayMs: -5 })).retryDelayMs, 0);
  assert.equal(
    decodeStatusJson(encodeStatusJson({ code: 14, message: '', retryDelayMs: 0 })).retryDelayMs,
    0,
  );
});

test('Status written by protobufjs is read, with other details around the RetryInfo', () => {
  const value = RETRY_INFO.encode({ retry_delay: { seconds: 2, nanos: 1 } }).finish();
  const details = [
    { type_url: 'type.googleapis.com/google.rpc.DebugInfo', value: new Uint8Array(9) },
    { type_url: RETRY_INFO_TYPE_URL, value },
  ];
  const bytes = STATUS.encode(
    STATUS.fromObject({ code: GRPC_RESOURCE_EXHAUSTED, message: 'm', details }),
  ).finish();
  assert.deepEqual(decodeStatus(bytes), { code: 8, message: 'm', retryDelayMs: 2001 });
  const negative = RETRY_INFO.encode(RETRY_INFO.fromObject({ retry_delay: { seconds: -2 } })).finish();
  const early = STATUS.encode(
    STATUS.fromObject({ code: -1, details: [{ type_url: RETRY_INFO_TYPE_URL, value: negative }] }),
  ).finish();
  assert.deepEqual(decodeStatus(early), { code: -1, message: '', retryDelayMs: 0 });
  const without = STATUS.encode(STATUS.fromObject({ details: [{ type_url: RETRY_INFO_TYPE_URL }] })).finish();
  assert.deepEqual(decodeStatus(without), { code: 0, message: '' });
});

test('both forms of Status survive a round trip', () => {
  fc.assert(
    fc.property(
      fc.nat(16),
      MESSAGES,
      fc.option(fc.nat({ max: 2 ** 40 }), { nil: undefined }),
      (code, message, delayMs) => {
        const status = delayMs === undefined ? { code, message } : { code, message, retryDelayMs: delayMs };
        assert.deepEqual(decodeStatus(encodeStatus(status)), status);
        assert.deepEqual(decodeStatusJson(encodeStatusJson(status)), status);
      },
    ),
  );
});

for (const signal of SIGNALS) {
  test(`${signal}: full success is 0 bytes, or an empty partialSuccess in JSON`, () => {
    const result = { rejectedCount: 0, message: '' };
    assert.equal(encodeExportResponse(result).length, 0);
    assert.equal(text(encodeExportResponseJson(signal, result)), '{"partialSuccess":{}}');
    assert.deepEqual(decodeExportResponse(new Uint8Array(0)), result);
    for (const body of ['{}', '{"partialSuccess":null}', '{"partialSuccess":{}}']) {
      assert.deepEqual(decodeExportResponseJson(signal, utf8(body)), result);
    }
  });

  test(`${signal}: partial success and warnings, to and from protobufjs and JSON`, () => {
    const type = responseType(signal);
    fc.assert(
      fc.property(fc.oneof(fc.nat(), fc.maxSafeNat()), MESSAGES, (rejectedCount, message) => {
        const result = { rejectedCount, message };
        const partial =
          type.toObject(type.decode(encodeExportResponse(result)), { longs: Number }).partial_success ?? {};
        assert.equal(partial[REJECTED[signal]] ?? 0, rejectedCount);
        assert.equal(partial.error_message ?? '', message);
        const fields = {
          partial_success: { [REJECTED[signal]]: String(rejectedCount), error_message: message },
        };
        assert.deepEqual(decodeExportResponse(type.encode(type.fromObject(fields)).finish()), result);
        assert.deepEqual(decodeExportResponseJson(signal, encodeExportResponseJson(signal, result)), result);
        assert.deepEqual(decodeExportResponseJson(signal, utf8(JSON.stringify(fields))), result);
      }),
    );
  });
}

test('answers of a hostile peer are bounded and never change the prototype', () => {
  const long = 'x'.repeat(100_000);
  assert.equal(decodeStatus(encodeStatus({ code: 1, message: long })).message.length, PEER_MESSAGE_CHARS_MAX);
  assert.equal(
    decodeExportResponse(encodeExportResponse({ rejectedCount: 1, message: long })).message.length,
    PEER_MESSAGE_CHARS_MAX,
  );
  assert.equal(
    decodeStatusJson(utf8(JSON.stringify({ code: 1, message: long }))).message.length,
    PEER_MESSAGE_CHARS_MAX,
  );
  const tooLong = new Uint8Array(RESPONSE_BYTES_MAX + 1);
  for (const decode of [decodeStatus, decodeExportResponse, decodeStatusJson]) {
    assert.throws(
      () => decode(tooLong),
      (error) => error instanceof PipelineError && error.code === 'OTLP_LIMIT_EXCEEDED',
    );
  }
  const odd = [
    '{"code":"x","message":5,"details":{"a":1}}',
    '{"details":[null,1,{"@type":"y"}]}',
    '{"__proto__":{"polluted":1}}',
    '[]',
  ];
  for (const body of odd) assert.deepEqual(decodeStatusJson(utf8(body)), { code: 0, message: '' });
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  for (const count of ['-1', '"-5"', '"x"', '{}', '1e999']) {
    assert.ok(
      decodeExportResponseJson('logs', utf8(`{"partialSuccess":{"rejectedLogRecords":${count}}}`))
        .rejectedCount >= 0,
    );
  }
  for (const body of ['', 'x', '1', 'null', '"s"', '{']) {
    assert.throws(
      () => decodeStatusJson(utf8(body)),
      (error) => error instanceof PipelineError && error.code === 'OTLP_MALFORMED',
    );
  }
});

test('cut protobuf answers are malformed or shorter, never another kind of error', () => {
  const status = encodeStatus({ code: 14, message: 'message', retryDelayMs: 1234 });
  const response = encodeExportResponse({ rejectedCount: 300, message: 'message' });
  let refused = 0;
  const attempt = (run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      assert.ok(error instanceof PipelineError && error.code === 'OTLP_MALFORMED');
      refused++;
    }
  };
  for (let end = 0; end < status.length; end++) attempt(() => decodeStatus(status.subarray(0, end)));
  for (let end = 1; end < response.length; end++)
    attempt(() => decodeExportResponse(response.subarray(0, end)));
  assert.ok(refused > status.length / 2);
});
