/** Three exporters on one pipeline, one of them dead (B18): the other two and the clients do not notice, and nothing is lost. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { afterwards } from '../e2e/storage.test-peer.ts';
import { EngineProcess, engineConfig, freePort, freePorts, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST, spanKey } from '../ledger-client.ts';
import { requestType } from '../otlp-root.ts';

/** The first warms up; then one dead, all alive, in turn. */
const PHASES = 6;
const PHASE_REQUESTS = 120;
const INTERVAL_MS = 10;
/** What p99 may move by, beside what one busy machine moves it by from second to second. */
const MOVED_MAX = 1.1;
const NOISE_MS = 20;

interface Traces {
  resource_spans: { scope_spans: { spans: { trace_id: Uint8Array }[] }[] }[];
}

/** A backend that notes when each span came. */
class Backend {
  readonly port: number;
  readonly arrivedMs = new Map<string, number>();
  #server: Server | undefined;

  constructor(port: number) {
    this.port = port;
  }

  async start(): Promise<void> {
    this.#server = createServer((incoming, outgoing) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('end', () => {
        this.#take(Buffer.concat(parts));
        outgoing.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      });
    });
    await new Promise<void>((resolve) => this.#server!.listen(this.port, '127.0.0.1', resolve));
  }

  stop(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  #take(body: Buffer): void {
    const request = requestType('traces').decode(body) as unknown as Traces;
    for (const { scope_spans } of request.resource_spans) {
      for (const { spans } of scope_spans) {
        for (const { trace_id } of spans) this.arrivedMs.set(spanKey(trace_id), performance.now());
      }
    }
  }
}

const p99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)]!;

interface Bed {
  backends: readonly [Backend, Backend, Backend];
  client: LedgerClient;
}

async function startBed(t: TestContext): Promise<Bed> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-b18-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  const backends = [
    new Backend(await freePort()),
    new Backend(await freePort()),
    new Backend(await freePort()),
  ] as const;
  for (const backend of backends) {
    await backend.start();
    afterwards(t, () => backend.stop());
  }
  const ports = await freePorts();
  const exporters = backends.map(({ port }, index) => [
    `otlphttp/${index}`,
    {
      endpoint: `http://127.0.0.1:${port}`,
      compression: 'none',
      retry_on_failure: { initial_interval: '100ms', max_interval: '500ms' },
      sending_queue: { batch: { flush_timeout: '20ms' } },
    },
  ]);
  const config = engineConfig(ports, Object.fromEntries(exporters), { signals: ['traces'] });
  const engine = await EngineProcess.start({ config, dataDir: join(directory, 'data') });
  afterwards(t, () => engine.kill('SIGTERM'));
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  afterwards(t, () => client.close());
  return { backends, client };
}

interface Phase {
  ack: number;
  delivery: number;
}

/** Sends at a fixed rate. @returns p99 in milliseconds of acknowledgement, and of delivery to the first two backends. */
async function runPhase({ backends, client }: Bed, producer: number): Promise<Phase> {
  const acks: number[] = [];
  const sentMs: number[] = [];
  const beginMs = performance.now();
  const replies: Promise<void>[] = [];
  for (let sequence = 0; sequence < PHASE_REQUESTS; sequence += 1) {
    const waitMs = beginMs + sequence * INTERVAL_MS - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const startedMs = performance.now();
    sentMs.push(startedMs);
    replies.push(
      client.send(ledgerRequest(producer, sequence)).then((status) => {
        assert.equal(status, 200);
        acks.push(performance.now() - startedMs);
      }),
    );
  }
  await Promise.all(replies);
  const keys = sentMs.map((_, sequence) => `${producer}/${sequence}/0`);
  const [first, second] = backends;
  await until('both have everything', () =>
    keys.every((key) => first.arrivedMs.has(key) && second.arrivedMs.has(key)),
  );
  const delivery = keys.flatMap((key, sequence) =>
    [first, second].map(({ arrivedMs }) => arrivedMs.get(key)! - sentMs[sequence]!),
  );
  return { ack: p99(acks), delivery: p99(delivery) };
}

test('B18: one dead exporter of three moves neither acknowledgements nor the delivery of the others, and loses nothing', {
  timeout: 180_000,
}, async (t) => {
  const bed = await startBed(t);
  const third = bed.backends[2];
  await runPhase(bed, 0);
  const phases = { alive: [] as Phase[], dead: [] as Phase[] };
  for (let producer = 1; producer < PHASES; producer += 1) {
    if (producer % 2 === 0) await third.start();
    else third.stop();
    phases[producer % 2 === 0 ? 'alive' : 'dead'].push(await runPhase(bed, producer));
  }
  // The least of each kind: what else the machine does makes a phase slower, never faster.
  const least = (kind: keyof typeof phases, figure: keyof Phase) =>
    Math.min(...phases[kind].map((phase) => phase[figure]));
  for (const figure of ['ack', 'delivery'] as const) {
    const [alive, dead] = [least('alive', figure), least('dead', figure)];
    t.diagnostic(
      `p99 of ${figure}: ${alive.toFixed(1)} ms with three alive, ${dead.toFixed(1)} ms with one dead`,
    );
    assert.ok(dead < alive * MOVED_MAX + NOISE_MS, `${figure}: ${dead} ms against ${alive} ms`);
  }
  const wanted = PHASES * PHASE_REQUESTS * SPANS_PER_REQUEST;
  assert.ok(third.arrivedMs.size < wanted);
  await third.start();
  await until('the third has caught up', () => third.arrivedMs.size === wanted);
});
