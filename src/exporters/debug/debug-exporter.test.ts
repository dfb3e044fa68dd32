import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { SIGNALS } from '../../component/signal.ts';
import { fullRequest, type PeerData, type PeerResult, spansRequest } from './debug.test-peer.ts';
import { EXPECTED } from './expected-text.test-peer.ts';

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const peer = new URL(`./debug.test-peer${extension}`, import.meta.url);
const toStdout = { use_internal_logger: false };
const HOSTILE = '\r\n\u0000\u001b[2J\u007f\u009b1m\u0085\u2028\u2029\u202e';

interface Shown extends PeerResult {
  stdout: string;
  stderr: string;
}

/** Runs the exporter in a thread, as the engine does, and reads the streams of that thread. */
async function show(data: PeerData): Promise<Shown> {
  const worker = new Worker(peer, { workerData: data, stdout: true, stderr: true });
  const streams = Promise.all([text(worker.stdout), text(worker.stderr)]);
  const [result] = (await once(worker, 'message')) as [PeerResult];
  const [stdout, stderr] = await streams;
  return { ...result, stdout, stderr };
}

function batchOf(slices: Uint8Array[], itemCount = 1): PeerData['batches'][number] {
  return { slices, itemCount };
}

for (const signal of SIGNALS) {
  for (const verbosity of ['normal', 'detailed'] as const) {
    test(`${signal}, ${verbosity}: every field is where the Collector has it`, async () => {
      const { stdout, stderr, logged, outcomes } = await show({
        config: { ...toStdout, verbosity },
        signal,
        batches: [batchOf([fullRequest(signal)], 6)],
      });
      assert.equal(stdout, EXPECTED[signal][verbosity]);
      assert.deepEqual([stderr, logged, outcomes], ['', [], ['']]);
    });

    test(`${signal}, ${verbosity}: hostile data adds no line and no control character`, async () => {
      const [plain, hostile] = await Promise.all(
        ['', HOSTILE].map((marker) => {
          const batches = [batchOf([fullRequest(signal, marker)])];
          return show({ config: { ...toStdout, verbosity }, signal, batches });
        }),
      );
      assert.deepEqual(hostile!.outcomes, ['']);
      const [counts, ...dump] = hostile!.stdout.split('\n');
      assert.match(counts!, /^[^\p{Cc}]+\t[^\p{Cc}]+$/u);
      for (const line of dump) assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029\u202e]/u);
      assert.ok(hostile!.stdout.includes('\\r\\n\\u0000\\u001b[2J'));
      assert.equal(hostile!.stdout.split('\n').length, plain!.stdout.split('\n').length);
    });
  }
}

test('basic goes to the log, with the counts of the batch', async () => {
  const cases = [
    ['traces', 'Traces', { 'resource spans': 3, spans: 11 }],
    ['logs', 'Logs', { 'resource logs': 2, 'log records': 2 }],
    ['metrics', 'Metrics', { 'resource metrics': 2, metrics: 10, 'data points': 12 }],
  ] as const;
  for (const [signal, message, fields] of cases) {
    const slices =
      signal === 'traces'
        ? [Buffer.concat([spansRequest(5), spansRequest(2)]), spansRequest(4)]
        : [fullRequest(signal), fullRequest(signal)];
    const { logged, stdout, stderr } = await show({ config: {}, signal, batches: [batchOf(slices, 12)] });
    assert.deepEqual(logged, [{ message, fields }]);
    assert.equal(stdout + stderr, '');
  }
});

test('with the internal logger the counts go to the log and the items to stderr', async () => {
  const config = { verbosity: 'normal' };
  const { logged, stdout, stderr } = await show({
    config,
    signal: 'traces',
    batches: [batchOf([spansRequest(1)])],
  });
  assert.deepEqual(logged, [{ message: 'Traces', fields: { 'resource spans': 1, spans: 1 } }]);
  assert.equal(stdout, '');
  assert.equal(stderr, 'ResourceTraces #0\nScopeTraces #0\nspan-0  \n');
});

test('both outputs get everything', async () => {
  const config = { ...toStdout, output_paths: ['stdout', 'stderr'] };
  const { stdout, stderr } = await show({ config, signal: 'traces', batches: [batchOf([spansRequest(2)])] });
  assert.equal(stdout, 'Traces\t{"resource spans": 1, "spans": 2}\n');
  assert.equal(stderr, stdout);
});

test('a large batch is numbered through, over resources, slices and pieces', async () => {
  const requests = [spansRequest(3000, 200), spansRequest(2)];
  const { stdout } = await show({
    config: { ...toStdout, verbosity: 'detailed' },
    signal: 'traces',
    batches: [batchOf([requests[0]!, Buffer.concat(requests)])],
  });
  const headings = stdout.match(/^(ResourceSpans|Span) #\d+$/gm);
  const spans = (count: number) => Array.from({ length: count }, (_, i) => `Span #${i}`);
  assert.deepEqual(headings, [
    ...['ResourceSpans #0', ...spans(3000)],
    ...['ResourceSpans #1', ...spans(3000)],
    ...['ResourceSpans #2', ...spans(2)],
  ]);
});

test('sampled batches count as delivered and are not shown', async () => {
  const config = { ...toStdout, sampling_initial: 1, sampling_thereafter: 0 };
  const batches = [1, 2, 3].map((spans) => batchOf([spansRequest(spans)]));
  const { stdout, outcomes } = await show({ config, signal: 'traces', batches });
  assert.equal(stdout, 'Traces\t{"resource spans": 1, "spans": 1}\n');
  assert.deepEqual(outcomes, ['', '', '']);
});

test('a batch that is not protobuf is dropped', async () => {
  const batches = [batchOf([Buffer.from([0x0a, 0x7f])])];
  const { outcomes } = await show({ config: toStdout, signal: 'traces', batches });
  assert.deepEqual(outcomes, ['OTLP_MALFORMED:true']);
});
