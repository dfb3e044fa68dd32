/**
 * Scenarios that count in the store what the client saw acknowledged. ClickHouse is asked over HTTP: the embedded
 * one of the engine, or any other that the scenario's configuration writes to.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLedger } from './ledger.ts';
import { runLoad } from './load.ts';
import { progressLine } from './report.ts';
import type { Scenario } from './scenario-file.ts';
import { loadMetrics, type Metrics, type RunSettings, Stage } from './scenario-run.ts';

const METRICS_URL = 'http://127.0.0.1:8888/metrics';
const CLICKHOUSE_URL = 'http://127.0.0.1:8123/';
const TABLE = 'otel.otel_traces';
const DELIVERY_TIMEOUT_MS = 180_000;
const BACKLOG_SAMPLE_MS = 5_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function query(statement: string): Promise<string> {
  const response = await fetch(CLICKHOUSE_URL, { method: 'POST', body: statement });
  const text = (await response.text()).trim();
  if (!response.ok) throw new Error(`ClickHouse: ${text.slice(0, 300)}`);
  return text;
}

/** Rows of parts, without reading a column: cheap enough to ask while the load runs. */
async function countPartRows(): Promise<number> {
  const [database, table] = TABLE.split('.');
  return Number(
    await query(
      `SELECT sum(rows) FROM system.parts WHERE active AND database = '${database}' AND table = '${table}'`,
    ),
  );
}

async function bytesPerRow(): Promise<number> {
  const [database, table] = TABLE.split('.');
  await query(`OPTIMIZE TABLE ${TABLE} FINAL`);
  const where = `active AND database = '${database}' AND table = '${table}'`;
  return Number(await query(`SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE ${where}`));
}

/** Mean of the samples between two shares of the time. */
function meanOfPart(samples: readonly number[], from: number, to: number): number {
  const part = samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to));
  return part.length === 0 ? 0 : part.reduce((sum, items) => sum + items, 0) / part.length;
}

interface Reconciled {
  /** Acknowledged items that are not in the store. */
  readonly lost: number;
  /** Items of acknowledged requests that are there more than once. */
  readonly duplicated: number;
  /** Items in the store that were never acknowledged: the answer was lost, not the data. */
  readonly unacked: number;
}

/** Compares rows by request, as the resource attributes of the generator name them, with the client's ledger. */
async function reconcile(ledgerPath: string, run: string): Promise<Reconciled> {
  const answer = await query(
    `SELECT ResourceAttributes['lt.producer'], toUInt64(ResourceAttributes['lt.seq']), count() FROM ${TABLE} ` +
      `WHERE ResourceAttributes['lt.run'] = '${run}' GROUP BY 1, 2 FORMAT TabSeparated`,
  );
  const stored = new Map<string, number>();
  for (const line of answer === '' ? [] : answer.split('\n')) {
    const [producer, seq, rows] = line.split('\t');
    stored.set(`${producer}/${seq}`, Number(rows));
  }
  let lost = 0;
  let duplicated = 0;
  for (const line of readLedger(ledgerPath)) {
    const key = `${line.producer}/${line.seq}`;
    const rows = stored.get(key) ?? 0;
    lost += Math.max(0, line.items - rows);
    duplicated += Math.max(0, rows - line.items);
    stored.delete(key);
  }
  const unacked = [...stored.values()].reduce((sum, rows) => sum + rows, 0);
  return { lost, duplicated, unacked };
}

/** Waits until the store has `expectedRows`, or has stopped growing for as long as an exporter may pause. */
async function waitForRows(expectedRows: number): Promise<void> {
  let last = { rows: -1, atMs: performance.now() };
  for (;;) {
    const rows = await countPartRows();
    if (rows >= expectedRows) return;
    if (rows !== last.rows) last = { rows, atMs: performance.now() };
    if (performance.now() - last.atMs > DELIVERY_TIMEOUT_MS) return;
    await sleep(500);
  }
}

/** Asks the store now and then how far it is behind the acknowledgements. */
class BacklogWatch {
  readonly samples: number[] = [];
  ackedItems = 0;
  #isAsking = false;
  readonly #timer = setInterval(() => this.#ask(), BACKLOG_SAMPLE_MS);

  stop(): void {
    clearInterval(this.#timer);
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const ackedItems = this.ackedItems;
    countPartRows()
      .then((rows) => this.samples.push(Math.max(0, ackedItems - rows)))
      // A store that is too busy to answer is seen by its rows, not here.
      .catch(() => undefined)
      .finally(() => {
        this.#isAsking = false;
      });
  }
}

/** Reloads the configuration that many times, evenly over the load. */
function startReloads(stage: Stage, count: number, durationMs: number): NodeJS.Timeout | undefined {
  if (count === 0) return undefined;
  let number = 0;
  const timer = setInterval(
    () => {
      number += 1;
      if (number > count) clearInterval(timer);
      else stage.reload(number);
    },
    durationMs / (count + 1),
  );
  return timer;
}

/** Configurations that the engine took over; the others it would have gone on without. */
async function countReloads(): Promise<number> {
  const text = await (await fetch(METRICS_URL)).text();
  return Number(/^millrace_config_reloads\{.*outcome="success".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

/**
 * Loads without a warm-up, so that every acknowledged item is accounted for, waits for the store, and asks for its
 * size after merges. `store.lagGrowthSeconds` is how much further behind delivery was in the last third of the time
 * than in the middle third: about zero when the engine keeps up.
 */
export async function runDelivery(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const stage = new Stage(scenario, settings);
  const [load] = scenario.loads;
  if (load === undefined) throw new RangeError('a delivery scenario needs a load');
  await stage.start();
  const backlog = new BacklogWatch();
  try {
    const ledger = join(settings.workDir, 'ledger');
    writeFileSync(ledger, '');
    const options = { ...stage.options(load), warmupMs: 0, ledger };
    const reloads = startReloads(stage, scenario.settings.reloads ?? 0, options.durationMs);
    const result = await runLoad(options, (progress) => {
      backlog.ackedItems = progress.counts.ackedRequests * options.itemsPerRequest;
      settings.print(`    ${load.name.padEnd(8)} ${progressLine(progress)}`);
    });
    backlog.stop();
    clearInterval(reloads);
    stage.engine.assertAlive();
    await waitForRows(result.ackedItems);
    const { lost, duplicated, unacked } = await reconcile(ledger, options.run);
    const perSecond = Math.max(1, result.itemsPerSecond);
    const lastThird = meanOfPart(backlog.samples, 2 / 3, 1);
    return {
      ...loadMetrics(load.name, result),
      'reload.taken': await countReloads(),
      'store.lost': lost,
      'store.duplicated': duplicated,
      'store.unacked': unacked,
      'store.bytesPerItem': await bytesPerRow(),
      'store.lagSeconds': lastThird / perSecond,
      'store.lagGrowthSeconds': (lastThird - meanOfPart(backlog.samples, 1 / 3, 2 / 3)) / perSecond,
    };
  } finally {
    backlog.stop();
    await stage.stop();
  }
}
