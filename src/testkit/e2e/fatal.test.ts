/** A failure that ends the process: whoever waits is told to retry before it does, and the exit code says why. */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import { join } from 'node:path';
import { test } from 'node:test';
import { engineConfig, freePorts } from '../engine-process.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { ledgerClient, startEngine, tempDirectory } from './storage.test-peer.ts';

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** @returns grpc-status of one call, undefined when the connection ended without one. */
function callGrpc(session: ClientHttp2Session, body: Uint8Array): Promise<string | undefined> {
  const frame = Buffer.alloc(5 + body.byteLength);
  frame.writeUInt32BE(body.byteLength, 1);
  frame.set(body, 5);
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': EXPORT,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let status: string | undefined;
    const read = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status']);
    };
    stream.on('response', read).on('trailers', read);
    stream.on('error', () => {}).on('close', () => resolve(status));
    stream.resume();
    stream.end(frame);
  });
}

test('calls that wait on one gRPC connection are all answered before the end', {
  timeout: 180_000,
}, async (t) => {
  const ports = await freePorts();
  const engine = await startEngine(t, {
    config: engineConfig(ports, { nop: {} }, { signals: ['traces'] }),
    dataDir: join(tempDirectory(t), 'data'),
    failpoints: 'pipeline.frame_read=delay:50;pipeline.before_commit=throw',
    flags: ['--workers', '1'],
  });
  const session = connect(`http://127.0.0.1:${ports.grpc}`);
  t.after(() => session.destroy());
  session.on('error', () => {});
  const calls = Array.from({ length: 20 }, (_, sequence) => callGrpc(session, ledgerRequest(0, sequence)));
  const statuses = await Promise.all(calls);
  assert.deepEqual(await engine.exit(), { code: 74, signal: null }, engine.log);
  assert.deepEqual(statuses, new Array<string>(20).fill('14'));
});

for (const [what, failpoints, code] of [
  // The first commit fails while the requests behind it are still in the ring.
  ['storage that fails', 'pipeline.frame_read=delay:100;pipeline.before_commit=throw', 74],
  // Every incarnation dies of its first frame, with nothing but the restart budget to end it.
  ['a worker that dies again and again', 'pipeline.decoded=throw;pipeline.before_release=throw', 70],
] as const) {
  test(`${what} answers every client that waits, then exits ${code}`, { timeout: 180_000 }, async (t) => {
    const ports = await freePorts();
    const engine = await startEngine(t, {
      config: engineConfig(ports, { nop: {} }, { signals: ['traces'] }),
      dataDir: join(tempDirectory(t), 'data'),
      failpoints,
      flags: ['--workers', '1'],
    });
    const client = ledgerClient(t, ports.http, 1);
    let sequence = 0;
    const answers: number[] = [];
    while (!engine.hasExited && sequence < 400) {
      // Only connections that were made before the end can be told.
      const burst = Array.from({ length: 8 }, () => client.send(ledgerRequest(0, sequence++)));
      const statuses = await Promise.all(burst.map((each) => each.catch(() => 0)));
      if (statuses.includes(0)) break;
      answers.push(...statuses);
    }
    assert.deepEqual(await engine.exit(), { code, signal: null }, engine.log);
    assert.match(engine.log, /the engine cannot go on/);
    assert.ok(answers.length >= 8, 'the first requests were all answered');
    for (const status of answers) assert.ok([200, 500, 503].includes(status), String(status));
    assert.ok(answers.includes(503), String(answers));
  });
}
