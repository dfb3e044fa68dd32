/** Starts the extension on a free port and a directory of its own, for the tests beside it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import { systemClock } from '../../stdx/clock.ts';
import { embeddedClickhouseConfigSchema } from './config.ts';
import { EmbeddedClickhouseExtension } from './embedded-clickhouse-extension.ts';

/** chDB is an optional dependency: without a build for this platform there is nothing to test against. */
export function isChdbInstalled(): boolean {
  const require = createRequire(import.meta.url);
  try {
    const { libchdbPath } = require('chdb/libchdb') as { libchdbPath(): string };
    return libchdbPath() !== '';
  } catch {
    return false;
  }
}

export interface LogLine {
  level: string;
  message: string;
  fields: unknown;
}

export interface RunningStore {
  extension: EmbeddedClickhouseExtension;
  client: ClickHouseClient;
  url: string;
  path: string;
  logLines: LogLine[];
}

export interface StoreSetup {
  /** YAML keys on top of the test's defaults. */
  config?: Record<string, unknown>;
  path?: string;
}

export async function temporaryDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-store-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Not started yet. */
export function createExtension(path: string, config: Record<string, unknown>, logLines: LogLine[]) {
  const parsed = embeddedClickhouseConfigSchema.parse({
    path,
    endpoint: '127.0.0.1:0',
    max_memory: '1GiB',
    ...config,
  });
  assert.deepEqual(parsed.issues, []);
  const settings: ComponentSettings = {
    id: 'embedded_clickhouse',
    logger: recordingLogger(logLines),
    meter: {
      counter: () => ({ add: () => {} }),
      gauge: () => ({ set: () => {} }),
      latency: () => ({ record: () => {} }),
      histogram: () => ({ record: () => {} }),
    },
    clock: systemClock,
  };
  return new EmbeddedClickhouseExtension(settings, parsed.value!);
}

/** A started store with a client; both end with the test. */
export async function startStore(context: TestContext, setup: StoreSetup = {}): Promise<RunningStore> {
  const path = setup.path ?? join(await temporaryDirectory(context), 'clickhouse');
  const logLines: LogLine[] = [];
  const extension = createExtension(path, setup.config ?? {}, logLines);
  context.after(() => extension.shutdown(systemClock.monotonicMs() + 10_000));
  await extension.start();
  const { url } = extension;
  const client = createClient({ url, database: 'otel', log: { level: 127 } });
  context.after(() => client.close());
  return { extension, client, url, path, logLines };
}

function recordingLogger(lines: LogLine[]): Logger {
  const at = (level: string) => (message: string, fields?: unknown) => {
    lines.push({ level, message, fields });
  };
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}

/** All rows of a query as JSON values. */
export async function rowsOf<T>(client: ClickHouseClient, query: string): Promise<T[]> {
  const result = await client.query({ query, format: 'JSONEachRow' });
  return result.json<T>();
}

/** One number of a query with one column and one row. */
export async function numberOf(client: ClickHouseClient, query: string): Promise<number> {
  const result = await client.query({ query, format: 'JSONCompactEachRow' });
  return Number((await result.json<[unknown]>())[0]![0]);
}

/** Polls until `check` holds. */
export async function eventually(what: string, timeoutMs: number, check: () => Promise<boolean>) {
  const giveUpMs = systemClock.monotonicMs() + timeoutMs;
  while (!(await check())) {
    assert.ok(systemClock.monotonicMs() < giveUpMs, `${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
