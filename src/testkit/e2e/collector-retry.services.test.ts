/**
 * The Go Collector in front of an engine that is not there yet, that has no room, or that is killed: what the
 * Collector has taken arrives in full, because refusals are of the kind it sends again.
 */
import assert from 'node:assert/strict';
import { before, describe, type TestContext, test } from 'node:test';
import { type EnginePorts, freePorts, metricSum, until } from '../engine-process.ts';
import { installPrograms, type Programs, runTelemetrygen } from '../services/programs.ts';
import { type Lane, Relay, type RelayedRow } from '../services/relay.ts';
import { assertSameRows, missingStore, StoredEngine } from '../services/stored-engine.ts';

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
      ...[
        '--traces',
        String(traces),
        '--rate',
        String(rate),
        '--batch-size',
        '50',
        '--telemetry-attributes',
        padding,
      ],
    ]),
  );
  await Promise.all(lanes);
}

/** Everything the Collector has taken; a trace of telemetrygen has two spans. */
async function allTaken(relay: Relay, { traces }: Load): Promise<readonly RelayedRow[]> {
  let taken: readonly RelayedRow[] = [];
  await until('the file of the Collector', () => {
    taken = relay.taken();
    return taken.length >= LANES.length * traces * 2;
  });
  return taken;
}

async function assertNothingLost(engine: StoredEngine, taken: readonly RelayedRow[]): Promise<void> {
  for (const { name } of LANES) {
    const wanted = taken.filter(({ service }) => service === name).map(({ row }) => row);
    assert.ok(wanted.length > 0);
    const rows = await engine.rowsOnceStored('traces', name, wanted.length, 60_000);
    assertSameRows(rows, wanted, name);
  }
}

/** Counts spans by their ids: what was in flight at a crash may be there twice. */
async function untilDistinct(engine: StoredEngine, name: string, count: number, relay: Relay): Promise<void> {
  let distinct = 0;
  try {
    await until(
      `all spans of ${name}`,
      async () => {
        distinct = new Set((await engine.rows('traces', name)).map(({ SpanId }) => SpanId)).size;
        return distinct >= count;
      },
      60_000,
    );
  } catch (error) {
    const logs = `${relay.log}\n${engine.process.log}`;
    throw new Error(`${distinct} of ${count} spans of ${name} are stored\n${logs}`, { cause: error });
  }
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
    const taken = await allTaken(relay, load);
    await until('a failed attempt', () => relay.log.includes('Exporting failed. Will retry'));
    const engine = await StoredEngine.start({ ports });
    t.after(() => engine.stop());
    await assertNothingLost(engine, taken);
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
    await assertNothingLost(engine, await allTaken(relay, load));
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
      await new Promise((resolve) => setTimeout(resolve, 700));
      assert.deepEqual(await engine.process.kill('SIGKILL'), { code: null, signal: 'SIGKILL' });
      await engine.startProcess();
    }
    await generated;
    const taken = await allTaken(relay, load);
    let duplicates = 0;
    for (const { name } of LANES) {
      const wanted = taken.filter(({ service }) => service === name).map(({ row }) => row);
      await untilDistinct(engine, name, wanted.length, relay);
      const rows = await engine.rows('traces', name);
      const distinct = [...new Map(rows.map((row) => [row.SpanId, row])).values()];
      duplicates += rows.length - distinct.length;
      assertSameRows(distinct, wanted, name);
    }
    t.diagnostic(`${duplicates} spans are stored twice`);
  });
});
