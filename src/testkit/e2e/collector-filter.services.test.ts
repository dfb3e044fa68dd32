/** The same items and the same YAML through the Collector's filter and through ours: the same spans, events, points and records are kept. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { filterProcessorFactory } from '../../processors/filter/factory.ts';
import { processorBed } from '../../processors/helper/processor.test-peer.ts';
import { freePort } from '../engine-process.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile } from '../services/collector-json.ts';
import { conditionRequests } from '../services/condition-requests.ts';
import { FILTER_CASES } from '../services/filter-conditions.ts';
import { CollectorProcess, installPrograms, type Programs } from '../services/programs.ts';

const ITEMS: Record<Signal, number> = { traces: 2300, logs: 1500, metrics: 700 };
/** Pipelines of one Collector; each has a copy of everything. */
const CASES_AT_ONCE = 40;

interface Attribute {
  key: string;
  value: Message;
}

/** What is left of each item: its number, and for spans the times of their events. */
function keptItems(signal: Signal, requests: readonly Uint8Array[]): string[] {
  return requests
    .flatMap((bytes) => flattenRequest(signal, bytes))
    .map(({ item }) => {
      const attributes = item.attributes as Attribute[];
      const events = ((item.events ?? []) as Message[]).map((event) => String(event.time_unix_nano));
      return [attributes.find(({ key }) => key === 'id')!.value.string_value, ...events].join(' ');
    })
    .sort();
}

async function sendAll(port: number, signal: Signal, requests: readonly Uint8Array[]): Promise<void> {
  for (const body of requests) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(body),
    });
    assert.equal(response.status, 200, await response.text());
  }
}

/** What the Collector keeps of the items for each configuration, in their order. */
async function keptByCollector(
  programs: Programs,
  signal: Signal,
  configs: readonly Record<string, unknown>[],
  requests: readonly Uint8Array[],
): Promise<string[][]> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-filter-'));
  const file = (at: number) => join(directory, `${at}.json`);
  const all = <T>(prefix: string, make: (at: number) => T) =>
    Object.fromEntries(configs.map((_, at) => [`${prefix}/${at}`, make(at)]));
  const collector = await CollectorProcess.start(programs, {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    processors: all('filter', (at) => configs[at]),
    exporters: all('file', (at) => ({ path: file(at) })),
    service: {
      telemetry: { metrics: { level: 'none' }, logs: { level: 'info' } },
      pipelines: all(signal, (at) => ({
        receivers: ['otlp'],
        processors: [`filter/${at}`],
        exporters: [`file/${at}`],
      })),
    },
  });
  try {
    await sendAll(port, signal, requests);
    await collector.stop();
    return configs.map((_, at) =>
      keptItems(
        signal,
        new CollectorFile(file(at)).readNew().map(({ bytes }) => bytes),
      ),
    );
  } finally {
    await collector.stop();
    rmSync(directory, { recursive: true });
  }
}

async function keptByUs(signal: Signal, config: unknown, requests: readonly Uint8Array[]): Promise<string[]> {
  const bed = await processorBed(signal, [[filterProcessorFactory, config]]);
  return keptItems(
    signal,
    requests.map((bytes) => bed.process(bytes).bytes),
  );
}

for (const signal of SIGNALS) {
  test(`${signal}: conditions of filter keep what the Collector keeps`, { timeout: 600_000 }, async (t) => {
    const programs = await installPrograms();
    const cases = FILTER_CASES[signal];
    const requests = conditionRequests(signal, ITEMS[signal], 20_251);
    const itemCount = keptItems(signal, requests).length;
    assert.ok(itemCount >= ITEMS[signal]);
    const different: string[] = [];
    let split = 0;
    for (let from = 0; from < cases.length; from += CASES_AT_ONCE) {
      const some = cases.slice(from, from + CASES_AT_ONCE);
      const configs = some.map(({ config }) => config);
      const wanted = await keptByCollector(programs, signal, configs, requests);
      for (const [at, { name, config }] of some.entries()) {
        const kept = await keptByUs(signal, config, requests);
        if (kept.length > 0 && kept.length < itemCount) split++;
        const ours = new Set(kept);
        const theirs = new Set(wanted[at]);
        const more = kept.filter((item) => !theirs.has(item));
        const less = wanted[at]!.filter((item) => !ours.has(item));
        if (more.length + less.length > 0) {
          different.push(`${name}: ${more.length} more (${more[0]}), ${less.length} less (${less[0]})`);
        }
      }
    }
    t.diagnostic(
      `${itemCount} items, ${cases.length} configurations, ${split} of them drop some and keep some`,
    );
    assert.deepEqual(different, []);
  });
}
