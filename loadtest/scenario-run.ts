/** One run of a scenario: starts what it needs, sends its loads, returns its metrics, stops everything. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { assertPortsFree, ManagedProcess } from './child-process.ts';
import { spansBehind } from './engine-metrics.ts';
import { type LoadResult, runLoad } from './load.ts';
import { diskBytes } from './machine.ts';
import { type LoadOptions, loadFromFlags } from './options.ts';
import { progressLine } from './report.ts';
import type { Scenario, ScenarioLoad } from './scenario-file.ts';
import { S3_ENVIRONMENT, Servers } from './servers.ts';

const OTLP_PORTS = [4317, 4318];
/** As the relay configurations name them. */
const NULL_OTLP_PORTS = { http: 14_318, grpc: 14_317 };
const NULL_CLICKHOUSE_PORT = 18_123;
const METRICS_PORT = 8888;
const MIB = 1024 * 1024;
const POLL_MS = 200;
const OUTAGE_TIMEOUT_MS = 180_000;

export interface RunSettings {
  readonly root: string;
  /** Emptied before and after each engine. */
  readonly workDir: string;
  /** Multiplies durations and byte amounts: below 1 for a quick look that proves nothing. */
  readonly timeScale: number;
  readonly print: (line: string) => void;
}

export type Metrics = Record<string, number>;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `server.crt` and `server.key`, for configurations that name them under `${env:LOADTEST_WORK_DIR}`. */
async function writeCertificate(directory: string): Promise<void> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
  });
  writeFileSync(join(directory, 'server.crt'), cert);
  writeFileSync(join(directory, 'server.key'), key, { mode: 0o600 });
}

interface Sink {
  readonly script: string;
  readonly flags: readonly string[];
  readonly ports: readonly number[];
}

/** The process behind the engine that keeps nothing, if the scenario wants one. */
function sinkOf(scenario: Scenario): Sink | undefined {
  if (scenario.needsNullClickhouse) {
    const flags = ['--port', String(NULL_CLICKHOUSE_PORT)];
    return { script: 'null-clickhouse.js', flags, ports: [NULL_CLICKHOUSE_PORT] };
  }
  if (!scenario.needsNullOtlp) return undefined;
  const { http, grpc } = NULL_OTLP_PORTS;
  const flags = ['--http', String(http), '--grpc', String(grpc)];
  return { script: 'null-otlp.js', flags, ports: [http, grpc] };
}

/** Processes of one run. */
export class Stage {
  readonly #scenario: Scenario;
  readonly #settings: RunSettings;
  #engine: ManagedProcess | undefined;
  #sink: ManagedProcess | undefined;
  readonly #servers = new Servers();

  constructor(scenario: Scenario, settings: RunSettings) {
    this.#scenario = scenario;
    this.#settings = settings;
  }

  get dataDir(): string {
    return join(this.#settings.workDir, 'data');
  }

  get engine(): ManagedProcess {
    if (this.#engine === undefined) throw new Error('the engine is not running');
    return this.#engine;
  }

  /** @param environment of the engine, for configurations that read it. */
  async start(environment: Record<string, string> = {}): Promise<void> {
    const { root, workDir } = this.#settings;
    rmSync(workDir, { recursive: true, force: true });
    mkdirSync(workDir, { recursive: true });
    await writeCertificate(workDir);
    const sink = sinkOf(this.#scenario);
    await assertPortsFree([...OTLP_PORTS, ...(sink?.ports ?? [])]);
    if (sink !== undefined) {
      const args = [join(root, 'dist/loadtest/sinks', sink.script), ...sink.flags];
      this.#sink = new ManagedProcess('sink', args, workDir);
      await this.#sink.ready(sink.ports);
    }
    await this.#servers.start(this.#scenario.servers, root, workDir);
    this.writeConfig(this.#scenario.fillConfig || this.#scenario.config);
    await this.#startEngine(environment);
  }

  async #startEngine(environment: Record<string, string>, ports = OTLP_PORTS): Promise<void> {
    const { root, workDir } = this.#settings;
    const args = [join(root, 'dist/src/main.js'), '--config', this.configPath, '--data-dir', this.dataDir];
    this.#engine = new ManagedProcess('engine', args, workDir, {
      LOADTEST_WORK_DIR: workDir,
      ...S3_ENVIRONMENT,
      ...environment,
    });
    await this.#engine.ready(ports);
  }

  /** Kills the engine and starts it on what it left. @returns milliseconds until it takes requests. */
  async restart(): Promise<number> {
    await this.engine.kill();
    const startMs = performance.now();
    await this.#startEngine({});
    return performance.now() - startMs;
  }

  /** Ends the engine, and its log with it: what is to stay has been delivered. */
  async stopEngine(): Promise<void> {
    await this.#engine?.stop();
    this.#engine = undefined;
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** Starts an engine that reads what the one before has delivered; ready when its metrics can be read. */
  async startReader(): Promise<void> {
    await assertPortsFree([METRICS_PORT]);
    this.writeConfig(this.#scenario.config);
    await this.#startEngine({}, [METRICS_PORT]);
  }

  get configPath(): string {
    return join(this.#settings.workDir, 'config.yaml');
  }

  /**
   * Copies one of the configurations to `configPath`.
   *
   * @param reload each one finds another `flush_timeout: 200ms`: an unchanged configuration would be nothing to reload.
   */
  writeConfig(name: string, reload = 0): void {
    const source = join(this.#settings.root, 'loadtest/scenarios/configs', name);
    const text = readFileSync(source, 'utf8').replaceAll(
      'flush_timeout: 200ms',
      `flush_timeout: ${200 + reload}ms`,
    );
    writeFileSync(this.configPath, text);
  }

  /** Changes the configuration file and tells the engine, which answers to nobody: metrics and log show it. */
  reload(number: number): void {
    this.writeConfig(this.#scenario.config, number);
    process.kill(this.engine.pid, 'SIGHUP');
  }

  async stop(): Promise<void> {
    await this.#engine?.stop();
    await this.#sink?.stop();
    await this.#servers.stop();
    this.#engine = undefined;
    this.#sink = undefined;
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  options(load: ScenarioLoad): LoadOptions {
    const options = loadFromFlags(load.flags);
    return { ...options, durationMs: options.durationMs * this.#settings.timeScale, pid: this.engine.pid };
  }

  async load(load: ScenarioLoad): Promise<LoadResult> {
    const { print } = this.#settings;
    const result = await runLoad(
      this.options(load),
      (progress) => print(`    ${load.name.padEnd(8)} ${progressLine(progress)}`),
      this.#servers.pids,
    );
    this.engine.assertAlive();
    this.#servers.assertAlive();
    return result;
  }
}

/** The figures of a load that bars can name. */
export function loadMetrics(name: string, result: LoadResult): Metrics {
  const { latency, counts, engine } = result;
  const metrics: Metrics = {
    itemsPerSecond: result.itemsPerSecond,
    clientCpuUs: result.clientCpuUsPerItem,
    serversCpuUs: result.serversCpuUsPerItem,
    ackedRequests: counts.ackedRequests,
    refusedRequests: counts.refusedRequests,
    failedRequests: counts.failedRequests,
    unsentRequests: counts.unsentRequests,
    unackedRequests: counts.refusedRequests + counts.failedRequests + counts.unsentRequests,
    p50Ms: latency.p50Ms,
    p90Ms: latency.p90Ms,
    p99Ms: latency.p99Ms,
    p999Ms: latency.p999Ms,
    maxMs: latency.maxMs,
  };
  if (engine !== undefined) {
    metrics.cpuUs = engine.cpuUsPerItem;
    metrics.itemsPerCoreSecond = 1e6 / engine.cpuUsPerItem;
    metrics.corePercent = engine.cores * 100;
    metrics.anonymousMiB = engine.anonymousBytesMax / MIB;
  }
  return Object.fromEntries(Object.entries(metrics).map(([metric, value]) => [`${name}.${metric}`, value]));
}

export async function runSteady(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const stage = new Stage(scenario, settings);
  const metrics: Metrics = {};
  try {
    for (const load of scenario.loads) {
      if (!scenario.sharesEngine) await stage.stop();
      if (!scenario.sharesEngine || load === scenario.loads[0]) await stage.start();
      const result = await stage.load(load);
      Object.assign(metrics, loadMetrics(load.name, result));
      if (scenario.servers.length === 0) continue;
      // What has not been delivered has not been paid for either.
      metrics[`${load.name}.behindSeconds`] = (await spansBehind()) / Math.max(1, result.itemsPerSecond);
      settings.print(`    servers ${result.serversCpuUsPerItem.toFixed(3)} CPU-us an item beside the engine`);
    }
  } finally {
    await stage.stop();
  }
  return metrics;
}

/** Polls until `isDone` says so; monotonic milliseconds of that moment, or infinity when the time is over. */
async function timeWhen(isDone: () => Promise<boolean> | boolean, timeoutMs: number): Promise<number> {
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs) {
    if (await isDone()) return performance.now();
    await sleep(POLL_MS);
  }
  return Number.POSITIVE_INFINITY;
}

async function controlSink(query = ''): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${NULL_CLICKHOUSE_PORT}/control${query}`, {
    method: query === '' ? 'GET' : 'POST',
  });
  return ((await response.json()) as { inserts: number }).inserts;
}

/** Milliseconds of the sink's last insert, once it has had none for three seconds. */
async function lastInsertMs(): Promise<number> {
  let last = { inserts: -1, atMs: performance.now() };
  await timeWhen(async () => {
    const inserts = await controlSink();
    if (inserts !== last.inserts) last = { inserts, atMs: performance.now() };
    return performance.now() - last.atMs > 3_000;
  }, OUTAGE_TIMEOUT_MS);
  return last.atMs;
}

/**
 * The backend is down until `logged_gib` lie in the log, then comes back while the load goes on.
 * `drainRatio`: bytes that left the log a second, from the first insert until the backlog was gone, against bytes
 * that arrived a second.
 * `returnSeconds`: from the last insert after the end of the load until the log's directory is small.
 */
export async function runOutage(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const stage = new Stage(scenario, settings);
  const [fill, ingest] = scenario.loads;
  if (fill === undefined || ingest === undefined)
    throw new RangeError('an outage needs the loads fill and ingest');
  const { logged_gib = 4, drained_mib = 768, idle_mib = 300, bytes_per_item = 413 } = scenario.settings;
  await stage.start();
  try {
    await controlSink('?state=down');
    const fillOptions = { ...stage.options(fill), durationMs: 3_000, warmupMs: 0 };
    while (diskBytes(stage.dataDir) < logged_gib * 1024 * MIB * settings.timeScale) {
      await runLoad(fillOptions, (progress) => settings.print(`    fill     ${progressLine(progress)}`));
      stage.engine.assertAlive();
    }
    const backlogBytes = diskBytes(stage.dataDir);
    const insertsBefore = await controlSink('?state=up');
    const upMs = performance.now();
    // The exporter may be in the middle of a back-off: that wait is its own figure, not slow draining.
    const resumed = timeWhen(async () => (await controlSink()) > insertsBefore, OUTAGE_TIMEOUT_MS);
    const drained = timeWhen(() => diskBytes(stage.dataDir) < drained_mib * MIB, OUTAGE_TIMEOUT_MS);
    const result = await stage.load(ingest);
    const resumedMs = await resumed;
    const drainSeconds = ((await drained) - resumedMs) / 1_000;
    const quietMs = await lastInsertMs();
    const returnedMs = await timeWhen(() => diskBytes(stage.dataDir) < idle_mib * MIB, OUTAGE_TIMEOUT_MS);
    const arrivedBytesPerSecond = result.itemsPerSecond * bytes_per_item;
    // What left in that time is the backlog, less what was still there, and all that arrived meanwhile.
    const leftBytesPerSecond = (backlogBytes - drained_mib * MIB) / drainSeconds + arrivedBytesPerSecond;
    return {
      ...loadMetrics(ingest.name, result),
      'outage.backlogMiB': backlogBytes / MIB,
      'outage.backoffSeconds': (resumedMs - upMs) / 1_000,
      'outage.drainSeconds': drainSeconds,
      'outage.drainRatio': leftBytesPerSecond / arrivedBytesPerSecond,
      'outage.returnSeconds': Math.max(0, returnedMs - quietMs) / 1_000,
    };
  } finally {
    await stage.stop();
  }
}
