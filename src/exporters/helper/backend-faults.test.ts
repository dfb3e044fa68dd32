/** Section B of the fault list: a delivery with the real OTLP/HTTP exporter against servers that misbehave. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Exporter } from '../../component/exporter.ts';
import { systemClock } from '../../stdx/clock.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { TestAuthority } from '../../testkit/certificates.ts';
import { until } from '../../testkit/engine-process.ts';
import { otlpHttpExporterFactory } from '../otlphttp/factory.ts';
import { type DeadLetter, DeadLetters } from './dead-letters.ts';
import {
  type Drain,
  deliveryConfig,
  fill,
  itemNumbers,
  memoryLog,
  RecordingLogger,
  startDrain,
} from './delivery.test-peer.ts';

interface Backend {
  url: string;
  /** Item numbers of each request. */
  requests: number[][];
}

type Answer = (response: ServerResponse, items: readonly number[], attempt: number) => void;

async function listen(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function backend(t: TestContext, answer: Answer): Promise<Backend> {
  const requests: number[][] = [];
  const url = await listen(t, async (request, response) => {
    const items = itemNumbers([await readBody(request)]);
    requests.push(items);
    answer(response, items, requests.length - 1);
  });
  return { url, requests };
}

const ok = (response: ServerResponse) => response.writeHead(200).end();

interface Bed extends Drain {
  letters(): DeadLetter[];
}

/** Ten items in one batch, on their way to the URL. */
async function deliver(t: TestContext, url: string, keys: object = {}, items = 10): Promise<Bed> {
  const parsed = otlpHttpExporterFactory.configSchema.parse({ endpoint: url, compression: 'none', ...keys });
  assert.ok(parsed.value !== undefined, JSON.stringify(parsed.issues));
  const settings = {
    id: 'otlphttp',
    clock: systemClock,
    meter: new ThreadMeter(),
    logger: new RecordingLogger(),
  };
  const exporter: Exporter = await otlpHttpExporterFactory.create(settings, parsed.value, 'traces');
  await exporter.start();
  const root = mkdtempSync(join(tmpdir(), 'backend-faults-'));
  const directory = join(root, 'otlphttp');
  const log = memoryLog();
  await fill(log.openWriter(), [items]);
  const drain = startDrain(log, exporter, {
    config: deliveryConfig({ timeoutMs: 300, batch: { minSize: 1000, flushTimeoutMs: 5 } }),
    deadLetters: new DeadLetters({ directory, exporterId: 'otlphttp', signal: 'traces', clock: systemClock }),
    graceMs: 200,
  });
  t.after(async () => {
    await drain.end();
    await exporter.shutdown(0);
    rmSync(root, { recursive: true, force: true });
  });
  const letters = () =>
    readdirSync(directory)
      .flatMap((name) => readFileSync(join(directory, name), 'utf8').trimEnd().split('\n'))
      .map((line) => JSON.parse(line) as DeadLetter);
  return { ...drain, letters };
}

const finished = (bed: Bed, items = 10) => until('the end of the batch', () => bed.cursor.ordinal === items);
const sent = (bed: Bed) => bed.counter('otelcol_exporter_sent_spans');
const retryLine = (bed: Bed) => bed.logger.lines.find(({ fields }) => fields.interval_ms !== undefined);
const dead = (bed: Bed) => bed.counter('millrace_deadletter_items');

test('B1: a backend that is not there yet is waited for', async (t) => {
  const parked = createServer().listen(0, '127.0.0.1');
  await once(parked, 'listening');
  const { port } = parked.address() as AddressInfo;
  parked.close();
  await once(parked, 'close');
  const bed = await deliver(t, `http://127.0.0.1:${port}`);
  await until('refused connections', () => bed.counter('millrace_exporter_retries') >= 2);
  const late = createServer((request, response) => void readBody(request).then(() => ok(response)));
  late.listen(port, '127.0.0.1');
  t.after(() => late.close());
  await finished(bed);
  assert.equal(sent(bed), 10);
});

test('B5: every retryable status is tried again until the batch is taken, with the same bytes', async (t) => {
  for (const status of [429, 502, 503, 504]) {
    const { url, requests } = await backend(t, (response, _, attempt) => {
      if (attempt < 2) response.writeHead(status).end();
      else ok(response);
    });
    const bed = await deliver(t, url);
    await finished(bed);
    assert.deepEqual([requests.length, sent(bed), dead(bed)], [3, 10, 0], String(status));
    assert.deepEqual(requests[2], requests[0]);
  }
});

test('B6: every permanent status ends a lone item after one attempt, in the dead letters with its reason', async (t) => {
  for (const status of [400, 401, 403, 404, 405, 408, 413, 414, 415, 422, 500, 501, 505]) {
    const { url, requests } = await backend(t, (response) => void response.writeHead(status).end());
    const bed = await deliver(t, url, {}, 1);
    await finished(bed, 1);
    assert.deepEqual([requests.length, sent(bed), dead(bed)], [1, 0, 1], String(status));
    assert.match(bed.letters()[0]!.error, new RegExp(`${status}`));
    assert.equal(bed.counter('otelcol_exporter_send_failed_spans'), 1);
  }
});

test('B6: refused credentials and addresses are not about the items: the batch is refused in one piece', async (t) => {
  for (const status of [401, 403, 404]) {
    const { url, requests } = await backend(t, (response) => void response.writeHead(status).end());
    const bed = await deliver(t, url);
    await finished(bed);
    assert.deepEqual([requests.length, dead(bed)], [1, 10], String(status));
    assert.ok(bed.letters().every((letter) => letter.refused_items === 10));
  }
});

test('B7: one bad item among ten is found and set aside; a batch that is only too large is cut and delivered', async (t) => {
  const poisoned = await backend(t, (response, items) => {
    if (items.includes(6)) response.writeHead(400).end();
    else ok(response);
  });
  const bed = await deliver(t, poisoned.url);
  await finished(bed);
  assert.deepEqual([sent(bed), dead(bed)], [9, 1]);
  assert.deepEqual(itemNumbers([Buffer.from(bed.letters()[0]!.request, 'base64')]), [6]);
  assert.ok(poisoned.requests.length <= 9, `${poisoned.requests.length} requests`);

  const narrow = await backend(t, (response, items) => {
    if (items.length > 3) response.writeHead(413).end();
    else ok(response);
  });
  const large = await deliver(t, narrow.url);
  await finished(large);
  assert.deepEqual([sent(large), dead(large)], [10, 0]);
});

test('B8: partial success is not sent again and counted', async (t) => {
  const body = JSON.stringify({ partialSuccess: { rejectedSpans: '4', errorMessage: 'too old' } });
  const { url, requests } = await backend(t, (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  });
  const bed = await deliver(t, url);
  await finished(bed);
  assert.deepEqual([requests.length, sent(bed)], [1, 6]);
  assert.equal(bed.counter('otelcol_exporter_send_failed_spans'), 4);
});

test('B9: an endless answer is cut off and the batch is not sent a second time', async (t) => {
  let written = 0;
  const { url, requests } = await backend(t, (response) => {
    response.writeHead(200, { 'content-type': 'application/x-protobuf' });
    const chunk = Buffer.alloc(1 << 20, 1);
    const more = () => {
      if (response.destroyed || written > 256 << 20) return;
      written += chunk.byteLength;
      if (response.write(chunk)) setImmediate(more);
      else response.once('drain', more);
    };
    more();
  });
  const bed = await deliver(t, url);
  await finished(bed);
  assert.deepEqual([requests.length, sent(bed), dead(bed)], [1, 10, 0]);
  assert.ok(written < 64 << 20, `${written} bytes were taken`);
});

test('B10: an answer that inflates without end is not inflated, and br is not understood', async (t) => {
  const bomb = gzipSync(Buffer.alloc(256 << 20));
  for (const encoding of ['gzip', 'br']) {
    const { url, requests } = await backend(t, (response) => {
      response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-encoding': encoding });
      response.end(bomb);
    });
    const before = process.memoryUsage().arrayBuffers;
    const bed = await deliver(t, url);
    await finished(bed);
    assert.deepEqual([requests.length, sent(bed)], [1, 10]);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 << 20, 'it was inflated');
  }
});

test('B11: a redirect is not followed, so credentials stay where they were meant to go', async (t) => {
  let strangers = 0;
  const elsewhere = await listen(t, (_, response) => {
    strangers++;
    ok(response);
  });
  for (const status of [301, 302, 303, 307, 308]) {
    const { url, requests } = await backend(t, (response) => {
      response.writeHead(status, { location: `${elsewhere}/v1/traces` }).end();
    });
    const bed = await deliver(t, url, { headers: { authorization: 'Bearer canary' } }, 1);
    await finished(bed, 1);
    assert.deepEqual([requests.length, dead(bed), strangers], [1, 1, 0], String(status));
    assert.ok(!JSON.stringify([bed.letters(), bed.logger.lines]).includes('canary'));
  }
});

test('B2, B3: no answer, and an answer that drips, end at the timeout and are tried again', async (t) => {
  for (const isDripping of [false, true]) {
    const drips: NodeJS.Timeout[] = [];
    const { url, requests } = await backend(t, (response, _, attempt) => {
      if (attempt > 0) return ok(response);
      if (!isDripping) return undefined;
      response.writeHead(200, { 'content-length': '1000' });
      drips.push(setInterval(() => response.write('x'), 50));
      return undefined;
    });
    const bed = await deliver(t, url);
    await finished(bed);
    for (const drip of drips) clearInterval(drip);
    assert.ok(requests.length <= 2 && sent(bed) === 10);
    assert.equal(bed.counter('millrace_exporter_abandoned_attempts'), 0);
  }
});

test('B14: a reply that is lost on the way costs a repeat under the same bytes, never a loss', async (t) => {
  const { url, requests } = await backend(t, (response, _, attempt) => {
    if (attempt === 0) response.destroy();
    else ok(response);
  });
  const bed = await deliver(t, url);
  await finished(bed);
  assert.deepEqual([requests.length, sent(bed)], [2, 10]);
  assert.deepEqual(requests[0], requests[1]);
});

test('B15: strange Retry-After values never stop the delivery and never hurry it', async (t) => {
  const past = new Date(Date.now() - 86_400_000).toUTCString();
  for (const value of ['-5', '0', 'soon', '1e9', past, '999999999999999999999', '']) {
    const { url } = await backend(t, (response, _, attempt) => {
      if (attempt === 0) response.writeHead(503, { 'retry-after': value }).end();
      else ok(response);
    });
    const bed = await deliver(t, url);
    await finished(bed);
    const line = retryLine(bed);
    assert.ok(
      (line?.fields.interval_ms as number) >= 5 && (line?.fields.interval_ms as number) < 1000,
      value,
    );
  }
  for (const value of ['999999999', new Date(Date.now() + 365 * 86_400_000).toUTCString()]) {
    const { url } = await backend(t, (response) => {
      response.writeHead(429, { 'retry-after': value }).end();
    });
    const bed = await deliver(t, url);
    await until('the first failure', () => retryLine(bed) !== undefined);
    assert.equal(retryLine(bed)?.fields.interval_ms, 300_000, value);
  }
});

test('B16: garbage on 2xx is success, garbage on an error leaves the status to decide', async (t) => {
  const garbage = Buffer.from([0xff, 0xff, 0xff, 0x07, 0x00, 0xc0]);
  for (const type of ['application/x-protobuf', 'application/json', 'text/html']) {
    const good = await backend(t, (response) => {
      response.writeHead(200, { 'content-type': type }).end(garbage);
    });
    const taken = await deliver(t, good.url);
    await finished(taken);
    assert.deepEqual([good.requests.length, sent(taken)], [1, 10], type);
    const bad = await backend(t, (response, _, attempt) => {
      response.writeHead(attempt === 0 ? 503 : 400, { 'content-type': type }).end(garbage);
    });
    const refused = await deliver(t, bad.url, {}, 1);
    await finished(refused, 1);
    assert.deepEqual([bad.requests.length, dead(refused)], [2, 1], type);
  }
});

test('B12: a certificate that is expired, for another name or from another authority is retried until it is right', async (t) => {
  const authority = await TestAuthority.create();
  const stranger = await TestAuthority.create('another authority');
  const good = await authority.issue('localhost');
  const cases = [
    { pair: await authority.issue('localhost', { isExpired: true }), tls: {} },
    { pair: good, tls: { server_name_override: 'collector.example' } },
    { pair: await stranger.issue('localhost'), tls: {} },
  ];
  for (const [index, { pair, tls }] of cases.entries()) {
    let requests = 0;
    const server = createTlsServer(pair, (request, response) => {
      requests++;
      void readBody(request).then(() => ok(response));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const bed = await deliver(t, url, { tls: { ca_pem: authority.cert, ...tls } });
    await until('refused handshakes', () => bed.counter('millrace_exporter_retries') >= 3);
    assert.deepEqual([requests, dead(bed), bed.cursor.ordinal], [0, 0, 0], `case ${index}`);
    assert.equal(bed.logger.lines[0]!.fields.code, 'EXPORT_UNAVAILABLE');
    if (index === 1) continue;
    server.setSecureContext(good);
    await finished(bed);
    assert.equal(sent(bed), 10);
  }
});
