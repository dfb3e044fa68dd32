/**
 * The Go Collector in front of an engine that is not there yet, that has no room, or that is killed: what the
 * Collector has taken arrives in full, because refusals are of the kind it sends again.
 */
import assert from 'node:assert/strict';
import { before, describe, type TestContext, test } from 'node:test';
import { type EnginePorts, freePorts, metricSum, until } from '../engine-process.ts';
import { installPrograms, type Programs, runTelemetrygen } from '../services/programs.ts';
import { type Lane, Relay } from '../services/relay.ts';
import { assertSameRows, missingStore, type Row, StoredEngine } from '../services/stored-engine.ts';

const RETRY = { initial_interval: '100ms', max_interval: '500ms', max_elapsed_time: '120s' };
const QUEUE = { queue_size: 100_000 };
const options = { retry_on_failure: RETRY, sending_queue: QUEUE };
const LANES: readonly Lane[] = [
  { name: 'retry-grpc', exporter: 'otlp_grpc', options },
  { name: 'retry-http', exporter: 'otlp_http', options },
  { name: 'retry-http-json', exporter: 'otlp_http', options: { ...options, encoding: 'json' } },
];

interface Load {
  traces: number;
  /** Traces a second; 0 sends as fast as it goes. */
  rate: number;
  /** Length of one more attribute of every span. */
  paddingBytes?: number;
}

async function generate(programs: Programs, relay: Relay, load: Load): Promise<void> {
  const { traces, rate, paddingBytes = 0 } = load;
  const padding = `padding="${'x'.repeat(paddingBytes)}"`;
  const lanes = LANES.map(({ name }) =>
    runTelemetrygen(programs, [
      ...['traces', '--service', name, '--otlp-http', '--otlp-endpoint', `127.0.0.1:${relay.port(name)}`],
      ...['--traces', String(traces), '--rate', String(rate), '--batch-size', '50'],
      ...['--telemetry-attributes', padding],
    ]),
  );
  await Promise.all(lanes);
}

/**
 * Every span once: a request that was stored but not answered in time is sent again, by telemetrygen to the Collector
 * as well as by the Collector to the engine.
 */
function distinctSpans(rows: readonly Row[]): Row[] {
  return [...new Map(rows.map((row) => [row.SpanId, row])).values()];
}

/** What the Collector has taken, by lane, once that is everything that was generated: two spans a trace. */
async function allTaken(relay: Relay, { traces }: Load): Promise<Map<string, Row[]>> {
  const taken = new Map<string, Row[]>();
  await until(
    'the file of the Collector',
    () => {
      const byLane = new Map<string, Row[]>(LANES.map(({ name }) => [name, []]));
      for (const { service, row } of relay.taken()) byLane.get(service)!.push(row);
      for (const [name, rows] of byLane) taken.set(name, distinctSpans(rows));
      return [...taken.values()].every((rows) => rows.length === traces * 2);
    },
    30_000,
  );
  return taken;
}

/** @returns how many rows are there more than once. */
async function assertNothingLost(engine: StoredEngine, relay: Relay, load: Load): Promise<number> {
  let duplicates = 0;
  for (const [name, wanted] of await allTaken(relay, load)) {
    let rows: Row[] = [];
    try {
      await until(
        `all spans of ${name}`,
        async () => {
          rows = await engine.rows('traces', name);
          return distinctSpans(rows).length >= wanted.length;
        },
        60_000,
      );
    } catch (error) {
      const message = `${distinctSpans(rows).length} of ${wanted.length} spans of ${name} are stored`;
      throw new Error(`${message}\n${relay.log}\n${engine.process.log}`, { cause: error });
    }
    assertSameRows(distinctSpans(rows), wanted, name);
    duplicates += rows.length - wanted.length;
  }
  return duplicates;
}

describe('the Go Collector sends again', { skip: missingStore(), timeout: 900_000 }, () => {
  let programs: Programs;
  let ports: EnginePorts;
  before(async () => {
    programs = await installPrograms();
  });

  async function startRelay(context: TestContext): Promise<Relay> {
    ports = await freePorts();
    const relay = await Relay.start(programs, ports, LANES);
    context.after(() => relay.stop());
    return relay;
  }

  test('what it took before the engine was there', async (t) => {
    const relay = await startRelay(t);
    const load = { traces: 500, rate: 0 };
    await generate(programs, relay, load);
    await until('a failed attempt', () => relay.log.includes('Exporting failed. Will retry'));
    const engine = await StoredEngine.start({ ports });
    t.after(() => engine.stop());
    await assertNothingLost(engine, relay, load);
  });

  test('what was refused because the disk budget was used up', async (t) => {
    const relay = await startRelay(t);
    const load = { traces: 3000, rate: 1500, paddingBytes: 800 };
    const engine = await StoredEngine.start({
      ports,
      flags: ['--disk-budget', '2MB'],
      failpoints: 'exporter.before_send=delay:500',
    });
    t.after(() => engine.stop());
    await generate(programs, relay, load);
    await assertNothingLost(engine, relay, load);
    const metrics = await engine.process.metrics(ports.metrics);
    for (const transport of ['http', 'grpc']) {
      const refused = metricSum(metrics, 'otelcol_receiver_refused_spans', [`transport="${transport}"`]);
      t.diagnostic(`${refused} spans over ${transport} were refused and sent again`);
      assert.ok(refused > 0, 'the load was too small to use up the budget');
    }
  });

  test('what was not answered when the engine was killed', async (t) => {
    const relay = await startRelay(t);
    const load = { traces: 2000, rate: 500 };
    const engine = await StoredEngine.start({ ports });
    t.after(() => engine.stop());
    const generated = generate(programs, relay, load);
    for (let crash = 0; crash < 3; crash++) {
      await until('spans to arrive', async () => {
        const metrics = await engine.process.metrics(ports.metrics);
        return metricSum(metrics, 'otelcol_receiver_accepted_spans') > 0;
      });
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.deepEqual(await engine.process.kill('SIGKILL'), { code: null, signal: 'SIGKILL' });
      await engine.startProcess();
    }
    await generated;
    t.diagnostic(`${await assertNothingLost(engine, relay, load)} spans are stored twice`);
  });
});
