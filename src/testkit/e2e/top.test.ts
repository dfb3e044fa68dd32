/** `millrace top` against the real program under a steady load, on a terminal and into a pipe. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../stdx/clock.ts';
import { runTop, type TopTerminal } from '../../top/top.ts';
import { EngineProcess, engineConfig, freePorts, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { LOADED_ROOT } from '../source-tree.ts';
import { afterwards } from './storage.test-peer.ts';

const MAIN = join(LOADED_ROOT, 'src', `main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`);
const REQUESTS_PER_S = 20;

/** An engine and a client that sends a request every 50 ms until the test ends. */
async function engineUnderLoad(t: TestContext): Promise<{ engine: EngineProcess; endpoint: URL }> {
  const ports = await freePorts();
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-top-'));
  const engine = await EngineProcess.start({ config: engineConfig(ports, { nop: {} }), dataDir });
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  let sent = 0;
  const load = setInterval(() => {
    client.send(ledgerRequest(0, sent++)).catch(() => undefined);
  }, 1000 / REQUESTS_PER_S);
  afterwards(t, async () => {
    clearInterval(load);
    client.close();
    await engine.kill();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return { engine, endpoint: new URL(`http://127.0.0.1:${ports.metrics}/metrics`) };
}

/** A terminal whose screen can be read and whose keys can be pressed. */
class TestTerminal implements TopTerminal {
  readonly isTerminal = true;
  readonly columns = 80;
  readonly rows = 30;
  written = '';
  press: (key: string) => void = () => undefined;
  isListening = false;

  write = (text: string): void => {
    this.written += text;
  };

  writeError = (text: string): void => {
    assert.fail(`a terminal shows troubles on the screen, not as ${text}`);
  };

  listen(onKey: (key: string) => void): () => void {
    this.press = onKey;
    this.isListening = true;
    return () => {
      this.isListening = false;
    };
  }

  /** Lines of the newest screen. */
  get screen(): string[] {
    const newest = this.written.split('\u001b[H').at(-1)!;
    return newest.replace(/\u001b\[[?\d]*[a-zA-Z]/g, '').split('\r\n');
  }
}

/** Cells of the first row that begins with these. */
const columnsOf = (lines: readonly string[], ...start: string[]): string[] =>
  lines.map((line) => line.trim().split(/ +/)).find((cells) => start.every((cell, i) => cells[i] === cell)) ??
  [];

/** `1.3K` and the like. */
function readCount(text: string): number {
  return Number.parseFloat(text) * (text.endsWith('K') ? 1000 : 1);
}

test('the screen follows a running engine, sorts at a key, tells of its end and leaves with q', {
  timeout: 180_000,
}, async (t) => {
  const { engine, endpoint } = await engineUnderLoad(t);
  const terminal = new TestTerminal();
  afterwards(t, () => terminal.press('q'));
  const running = runTop({ endpoint, count: undefined, clock: systemClock, terminal: () => terminal });
  const expected = SPANS_PER_REQUEST * REQUESTS_PER_S;
  const isNear = (text: string) => Math.abs(readCount(text) - expected) < expected * 0.5;
  await until('the rates of receiver, pipeline and exporter', () => {
    const { screen } = terminal;
    return (
      isNear(columnsOf(screen, 'otlp', 'http')[2] ?? '') &&
      isNear(columnsOf(screen, 'traces')[1] ?? '') &&
      isNear(columnsOf(screen, 'nop', 'traces')[2] ?? '')
    );
  });
  const receiver = columnsOf(terminal.screen, 'otlp', 'http');
  for (const quantile of receiver.slice(-3)) assert.match(quantile, /^[\d.]+(us|ms|s)$/);
  assert.match(terminal.screen.join('\n'), /^cpu \d+ % {2}memory \d+ MiB, own \d+/m);
  assert.ok(terminal.screen.every((line) => line.length <= 80));

  assert.equal(columnsOf(terminal.screen, 'RECEIVER')[0], 'RECEIVER');
  terminal.press('n');
  assert.match(terminal.screen.at(-1)!, /sort \(name\)/);
  terminal.press('s');
  assert.match(terminal.screen.at(-1)!, /sort \(rate\)/);

  await engine.kill();
  await until('the end of the engine on the screen', () =>
    terminal.screen.some((line) => line.startsWith('! cannot reach')),
  );
  terminal.press('q');
  assert.equal(await running, true);
  assert.equal(terminal.isListening, false);
  assert.ok(terminal.written.startsWith('\u001b[?1049h') && terminal.written.endsWith('\u001b[?1049l'));
});

async function topProcess(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, 'top', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

test('into a pipe it writes plain lines and ends after its count', { timeout: 180_000 }, async (t) => {
  const { endpoint } = await engineUnderLoad(t);
  const { code, out, err } = await topProcess('--endpoint', endpoint.host, '--count', '2');
  assert.deepEqual([code, err], [0, '']);
  const looks = out.trimEnd().split('\n\n');
  assert.equal(looks.length, 2, out);
  for (const look of looks) {
    assert.doesNotMatch(look, /\u001b/);
    assert.match(look, /^process uptime_s=[\d.]+ cpu_cores=[\d.e-]+ .* ready=true$/m);
    assert.match(look, /^receiver id=otlp transport=http spans_per_s=[\d.]+ /m);
    assert.match(look, /^pipeline id=traces items_per_s=[\d.]+ waiting=\d+ /m);
    assert.match(look, /^exporter id=nop signal=traces sent_per_s=[\d.]+ /m);
  }
});

test('an endpoint that is no metrics endpoint is said in words, with exit code 1', {
  timeout: 180_000,
}, async (t) => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/empty' ? 200 : 404).end('nothing here\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(t, () => server.close());
  const { port } = server.address() as AddressInfo;
  const missing = await topProcess('--endpoint', `:${port}`, '--count', '1');
  assert.deepEqual(missing, { code: 1, out: '', err: `http://127.0.0.1:${port}/metrics answers 404\n` });
  const empty = await topProcess('--endpoint', `http://127.0.0.1:${port}/empty`, '--count', '1');
  assert.match(empty.err, /answers without metrics\n$/);
  const unreachable = await topProcess('--endpoint', '127.0.0.1:1', '--count', '1');
  assert.equal(unreachable.code, 1);
  assert.match(unreachable.err, /^cannot reach http:\/\/127\.0\.0\.1:1\/metrics: \S/);
});
