/**
 * The two tiers of configs/scalable while everything in them fails in turn. Guarantee: whatever was acknowledged is
 * decided on whole traces, as one process would, and what is kept is delivered.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import {
  groupRequest,
  grpcSender,
  httpSender,
  REQUESTS_PER_GROUP,
  type Send,
  SPANS_PER_TRACE,
  sendUntilAcked,
  spansIn,
  TRACES_PER_GROUP,
} from '../services/trace-groups.ts';
import { TwoTiers } from '../services/two-tiers.ts';

/** So many that they last longer than the faults. */
const GROUPS = 750;
const GROUP_EVERY_MS = 60;
/** A trace takes two of them. */
const BETWEEN_REQUESTS_MS = 1500;
const POLICIES = [
  { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
  { name: 'some', type: 'probabilistic', probabilistic: { sampling_percentage: 20 } },
];
/** Longer than any of the faults holds up a span. */
const SAMPLING = {
  decision_wait: '30s',
  num_traces: 50_000,
  decision_cache: { sampled_cache_size: 10_000, non_sampled_cache_size: 10_000 },
  policies: POLICIES,
};
const LANES = 8;
const PENDING = 'millrace_sampling_pending_traces';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Traces that one engine keeps of the same requests, nothing failing. */
async function keptByOneProcess(t: TestContext): Promise<Set<number>> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-one-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'kept');
  const ports = await freePorts();
  const config = JSON.parse(
    engineConfig(ports, { file: { path, format: 'proto' } }, { signals: ['traces'] }),
  );
  config.processors = { tail_sampling: { ...SAMPLING, decision_wait: '5s' } };
  config.service.pipelines.traces.processors = ['tail_sampling'];
  const engine = await EngineProcess.start({
    config: JSON.stringify(config),
    dataDir: join(directory, 'data'),
  });
  t.after(async () => engine.kill());
  const send = httpSender(ports.http);
  // A group whole before the next one of the same lane: no trace waits for a span longer than its wait.
  const sendLane = async (lane: number): Promise<void> => {
    for (let group = lane; group < GROUPS; group += LANES)
      for (let part = 0; part < REQUESTS_PER_GROUP; part++)
        await sendUntilAcked(send, groupRequest(group, part));
  };
  await Promise.all(Array.from({ length: LANES }, (_, lane) => sendLane(lane)));
  const metric = async (name: string): Promise<number> =>
    metricSum(await engine.metrics(ports.metrics), name);
  await until('every decision', async () => (await metric(PENDING)) === 0);
  await until('every delivery', async () => {
    const sent = await metric('millrace_sampling_sent_items');
    return sent > 0 && (await metric('otelcol_exporter_sent_spans')) === sent;
  });
  return new Set([...spansIn(path).keys()].map((key) => Number(key.split('/')[0])));
}

/** Starts a group every few milliseconds, each over three requests. @returns the requests that were sent again. */
async function sendGroups(senders: readonly Send[]): Promise<number> {
  let repeated = 0;
  const sendGroup = async (group: number): Promise<void> => {
    await sleep(group * GROUP_EVERY_MS);
    for (let part = 0; part < REQUESTS_PER_GROUP; part++) {
      if (part > 0) await sleep(BETWEEN_REQUESTS_MS);
      repeated += (await sendUntilAcked(senders[group % senders.length]!, groupRequest(group, part))) - 1;
    }
  };
  await Promise.all(Array.from({ length: GROUPS }, (_, group) => sendGroup(group)));
  return repeated;
}

async function failInTurn(tiers: TwoTiers): Promise<void> {
  const [processor] = tiers.processors;
  await sleep(4000);
  await processor!.process.kill('SIGKILL');
  await sleep(3000);
  await processor!.start();
  await sleep(2000);

  const [gateway] = tiers.gateways;
  for (const backend of ['http', 'grpc'])
    assert.equal(await tiers.haproxy(`set server ${backend}/gateway-1 state drain`), '');
  await sleep(1000);
  // Each process counts from its start.
  for (const one of tiers.gateways)
    assert.ok((await one.metric('otelcol_receiver_accepted_spans')) > 0, 'a gateway is not used');
  const { code, signal } = await gateway!.process.kill('SIGTERM');
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, gateway!.process.log);
  await gateway!.start();
  for (const backend of ['http', 'grpc'])
    assert.equal(await tiers.haproxy(`set server ${backend}/gateway-1 state ready`), '');
  await sleep(2000);

  await tiers.kafka.kill();
  await sleep(500);
  await tiers.kafka.startProcess();
}

test('a processor killed, a gateway drained, the broker restarted: decisions of one process, nothing missing', {
  timeout: 280_000,
}, async (t) => {
  const tiers = await TwoTiers.start(SAMPLING);
  t.after(async () => tiers.stop());
  const grpc = grpcSender(tiers.grpcPort);
  t.after(() => grpc.close());
  await until('both processors to read', async () =>
    (
      await Promise.all(tiers.processors.map((one) => one.metric('otelcol_kafka_receiver_partition_start')))
    ).every((count) => count > 0),
  );

  let isFailing = true;
  const faults = failInTurn(tiers).finally(() => {
    isFailing = false;
  });
  const [repeated] = await Promise.all([
    sendGroups([httpSender(tiers.httpPort), grpc.send]).finally(() =>
      assert.equal(isFailing, false, 'the load was over before the faults'),
    ),
    faults,
  ]);
  const spans = GROUPS * TRACES_PER_GROUP * SPANS_PER_TRACE;
  await until(
    'every decision and delivery',
    async () => {
      const counts = await Promise.all([
        ...tiers.processors.flatMap((one) => [
          one.metric(PENDING),
          one.metric('otelcol_kafka_receiver_offset_lag'),
        ]),
        ...[...tiers.gateways, ...tiers.processors].map((one) => one.metric('otelcol_exporter_queue_size')),
      ]);
      return counts.every((count) => count === 0);
    },
    90_000,
  );
  const expected = await keptByOneProcess(t);

  const files = [0, 1].map((processor) => spansIn(tiers.kept(processor)));
  const traces = files.map((file) => new Set([...file.keys()].map((key) => Number(key.split('/')[0]))));
  const kept = new Set(traces.flatMap((set) => [...set]));
  const split = [...traces[0]!].filter((trace) => traces[1]!.has(trace));
  assert.deepEqual(split, [], 'traces decided in two processors');
  assert.deepEqual([...kept].sort(byNumber), [...expected].sort(byNumber), 'other decisions');
  const missing = [...expected].flatMap((trace) =>
    Array.from({ length: SPANS_PER_TRACE }, (_, span) => `${trace}/${span}`).filter((key) =>
      files.every((file) => !file.has(key)),
    ),
  );
  assert.deepEqual(missing, [], 'kept traces that are not whole');
  const delivered = files.flatMap((file) => [...file.values()]).reduce((sum, count) => sum + count, 0);
  t.diagnostic(
    `${spans} spans of ${GROUPS * TRACES_PER_GROUP} traces, ${kept.size} kept, ` +
      `${repeated} requests sent again, ${delivered - kept.size * SPANS_PER_TRACE} spans delivered again`,
  );
});

const byNumber = (a: number, b: number): number => a - b;
