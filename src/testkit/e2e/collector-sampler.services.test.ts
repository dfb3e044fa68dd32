/** The same requests through the Go Collector's probabilistic sampler and through ours: the same items, field by field. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Signal } from '../../component/signal.ts';
import { processorBed } from '../../processors/helper/processor.test-peer.ts';
import { probabilisticSamplerProcessorFactory } from '../../processors/probabilistic_sampler/factory.ts';
import { sampledItems } from '../../processors/probabilistic_sampler/sampled-items.test-peer.ts';
import { freePort, until } from '../engine-process.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile } from '../services/collector-json.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';
import { assertSameRows, type Row } from '../services/stored-engine.ts';

interface Lane {
  signal: Signal;
  config: Record<string, unknown>;
  /** With 0 % the Collector empties a tracestate that it cannot read; ours leaves it. */
  isWellFormed?: true;
}

const COUNT = 5000;
const SEED = 20_261_122;
const MODES = [
  { sampling_percentage: 30 },
  { sampling_percentage: 70.5, hash_seed: 22, fail_closed: false },
  { sampling_percentage: 0.02, hash_seed: 7, sampling_priority: 'priority' },
  { sampling_percentage: 100, mode: 'hash_seed' },
  { sampling_percentage: 25, mode: 'equalizing' },
  { sampling_percentage: 33.3, mode: 'equalizing', sampling_precision: 1, fail_closed: false },
  { sampling_percentage: 50, mode: 'proportional' },
  { sampling_percentage: 12.3, mode: 'proportional', sampling_precision: 14, fail_closed: false },
  { sampling_percentage: 250, mode: 'proportional', hash_seed: 4294967295 },
];
const LOG_KEYS = [
  { sampling_percentage: 40, from_attribute: 'record.id' },
  { sampling_percentage: 40, from_attribute: 'record.id', attribute_source: 'record', fail_closed: false },
  { sampling_percentage: 5, sampling_priority: 'priority', sampling_precision: 2 },
  { sampling_percentage: 60, mode: 'equalizing', sampling_priority: 'priority' },
];
const NONE = { sampling_percentage: 0, fail_closed: false };
const lanesOf = (signal: Signal, configs: readonly Record<string, unknown>[]): Lane[] => [
  ...configs.map((config) => ({ signal, config })),
  { signal, config: { ...NONE, sampling_priority: 'priority' }, isWellFormed: true },
];
const LANES: readonly Lane[] = [...lanesOf('traces', MODES), ...lanesOf('logs', [...MODES, ...LOG_KEYS])];

describe('the probabilistic sampler of the Go Collector', { timeout: 900_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-sampler-'));
  const ports: number[] = [];
  let collector: CollectorProcess;

  before(async () => {
    const programs = await installPrograms();
    for (const _ of LANES) ports.push(await freePort());
    collector = await CollectorProcess.start(programs, collectorConfig(ports, directory));
  });
  after(async () => {
    await collector?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const [lane, { signal, config, isWellFormed }] of LANES.entries()) {
    test(`${signal} ${JSON.stringify(config)}`, async (t) => {
      const options = { count: COUNT, seed: SEED + lane, hasMalformed: isWellFormed !== true };
      const requests = sampledItems(signal, options);
      const bed = await processorBed(signal, [[probabilisticSamplerProcessorFactory, config]]);
      const ours = requests.flatMap((bytes) => {
        const result = bed.process(bytes);
        return result.itemCount === 0 ? [] : rowsOf(signal, result.bytes);
      });
      for (const body of requests) await send(ports[lane]!, signal, body);
      const theirs: Row[] = [];
      const file = new CollectorFile(fileIn(directory, lane));
      await until(
        `${ours.length} items from the Collector`,
        () => {
          for (const request of file.readNew()) theirs.push(...rowsOf(signal, request.bytes));
          return theirs.length >= ours.length;
        },
        20_000,
      ).catch(() => {});
      t.diagnostic(`${theirs.length} of ${COUNT} kept`);
      assert.ok(theirs.length > 0 && theirs.length <= COUNT);
      assertSameRows(ours, theirs, `${signal} ${JSON.stringify(config)}`);
    });
  }
});

function collectorConfig(ports: readonly number[], directory: string): object {
  const each = <T>(name: string, value: (lane: number) => T): Record<string, T> =>
    Object.fromEntries(LANES.map((_, lane) => [`${name}/${lane}`, value(lane)]));
  return {
    receivers: each('otlp', (lane) => ({ protocols: { http: { endpoint: `127.0.0.1:${ports[lane]}` } } })),
    processors: each('probabilistic_sampler', (lane) => LANES[lane]!.config),
    exporters: each('file', (lane) => ({ path: fileIn(directory, lane), flush_interval: '50ms' })),
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: Object.fromEntries(
        LANES.map(({ signal }, lane) => [
          `${signal}/${lane}`,
          {
            receivers: [`otlp/${lane}`],
            processors: [`probabilistic_sampler/${lane}`],
            exporters: [`file/${lane}`],
          },
        ]),
      ),
    },
  };
}

const fileIn = (directory: string, lane: number): string => join(directory, `lane-${lane}.json`);

/** Attributes by their keys: the Collector reorders them when it removes one. */
function rowsOf(signal: Signal, bytes: Uint8Array): Row[] {
  return flattenRequest(signal, bytes).map(({ item, ...above }) => {
    const { attributes = [], ...rest } = item as { attributes?: { key: string; value?: Row }[] };
    const sorted = attributes
      .map(({ key, value = {} }) => ({ key, value }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    return { ...above, item: { ...rest, attributes: sorted } };
  });
}

async function send(port: number, signal: string, body: Uint8Array): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: new Uint8Array(body),
  });
  assert.equal(response.status, 200, await response.text());
}
