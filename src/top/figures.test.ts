import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHECKOUT } from '../testkit/source-tree.ts';
import { parseScrape, samplesOf, sumOf } from './exposition.ts';
import { figuresOf, pipelineOfLog } from './figures.ts';

const read = (path: string) => readFileSync(join(CHECKOUT, 'src', path), 'utf8');
const first = parseScrape(read('top/testdata/first.txt'));
const second = parseScrape(read('top/testdata/second.txt'));

test('a pair of scrapes, two seconds apart, taken from an engine under 1000 spans and 300 logs a second', () => {
  const { receivers, pipelines, exporters, process } = figuresOf(first, second, 2);
  assert.deepEqual(receivers, [
    {
      ...{ receiver: 'otlp', transport: 'http', spans: 0, points: 0, logs: 300, refused: 0 },
      ...{ p50: 0.003123, p99: 0.021231, p999: 0.021231 },
    },
    {
      ...{ receiver: 'otlp', transport: 'grpc', spans: 1000, points: 0, logs: 0, refused: 0 },
      ...{ p50: 0.002737, p99: 0.008711, p999: 0.008711 },
    },
  ]);
  const budgetBytes = 17_179_869_184;
  assert.deepEqual(pipelines, [
    { pipeline: 'traces', items: 1000, waiting: 300, diskBytes: 671_744, budgetBytes },
    { pipeline: 'traces/copy', items: 1000, waiting: 300, diskBytes: 671_744, budgetBytes },
    { pipeline: 'logs', items: 300, waiting: 100, diskBytes: 122_880, budgetBytes },
  ]);
  assert.deepEqual(
    exporters.map(({ exporter, signal, sent, failed, retries, queue, p99 }) => {
      return [exporter, signal, sent, failed, retries, queue, p99];
    }),
    [
      ['nop', 'traces', 2200, 0, 0, 600, 0.000256],
      ['debug', 'traces', 1000, 0, 0, 100, 0.001421],
      ['nop', 'logs', 300, 0, 0, 100, 0.000102],
    ],
  );
  assert.equal(process.commits, 23);
  assert.ok(Math.abs(process.cpu! - 0.0989805) < 1e-6);
  assert.deepEqual(
    [process.version, process.isReady, process.residentBytes, process.restarts],
    ['0.1.0', true, 230_416_384, undefined],
  );
  assert.ok(Math.abs(process.ringPeak! - 21_016 / 33_554_432) < 1e-9);
});

test('a sampler is shown by its processor, all workers and policies together', () => {
  const scrape = (traces: number, kept: number, waiting: number) =>
    parseScrape(`otelcol_processor_tail_sampling_new_trace_id_received{processor="tail_sampling"} ${traces}
otelcol_processor_tail_sampling_global_count_traces_sampled{decision="sampled",processor="tail_sampling",sampled="true"} ${kept}
otelcol_processor_tail_sampling_global_count_traces_sampled{decision="not_sampled",processor="tail_sampling",sampled="false"} 10
otelcol_processor_tail_sampling_global_count_traces_sampled{decision="dropped",processor="tail_sampling",sampled="false"} ${kept}
millrace_sampling_pending_traces{processor="tail_sampling"} ${waiting}
millrace_sampling_oldest_pending_seconds{processor="tail_sampling"} 1.5
millrace_sampling_index_bytes{processor="tail_sampling"} 4096
millrace_sampling_late_spans{processor="tail_sampling"} ${kept}
`);
  const { samplers } = figuresOf(scrape(100, 20, 5), scrape(160, 50, 7), 2);
  assert.deepEqual(samplers, [
    {
      ...{ processor: 'tail_sampling', traces: 30, kept: 15, dropped: 15, late: 15, pending: 7 },
      ...{ oldestSeconds: 1.5, indexBytes: 4096 },
    },
  ]);
  assert.deepEqual(figuresOf(first, second, 2).samplers, []);
});

test('a counter that fell has begun anew: no negative rate', () => {
  const { receivers } = figuresOf(second, first, 2);
  assert.equal(receivers.find(({ transport }) => transport === 'grpc')!.spans, 950);
});

test("a Collector's own scrape is readable, too: what it does not tell stays open", () => {
  const scrape = parseScrape(read('telemetry/testdata/collector-0.158-normal.txt'));
  const { receivers, pipelines, exporters, process } = figuresOf(new Map(), scrape, 1);
  assert.deepEqual(
    receivers.map(({ receiver, transport, spans, p99 }) => [receiver, transport, spans, p99]),
    [
      ['otlp', 'grpc', 402, undefined],
      ['otlp', 'http', 202, undefined],
    ],
  );
  assert.deepEqual(pipelines, []);
  assert.deepEqual(
    exporters.find(({ exporter }) => exporter === 'otlp_grpc/dead'),
    {
      ...{ exporter: 'otlp_grpc/dead', signal: 'traces', sent: 0, failed: 604 },
      ...{ retries: undefined, queue: undefined, ageSeconds: undefined },
      ...{ p50: undefined, p99: undefined, p999: undefined },
    },
  );
  assert.equal(process.version, '0.158.0');
  assert.equal(process.cpu, 0.11);
});

test('older spellings of the names are found', () => {
  const scrape = parseScrape('otelcol_process_uptime_seconds_total 3\notelcol_process_memory_rss_bytes 4\n');
  assert.equal(sumOf(scrape, 'otelcol_process_uptime'), 3);
  assert.equal(sumOf(scrape, 'otelcol_process_memory_rss'), 4);
  assert.equal(sumOf(scrape, 'otelcol_process_cpu_seconds'), undefined);
});

test('labels with every escape, special values, timestamps; other lines are passed over', () => {
  const text = `# TYPE a gauge
a{x="q\\"\\\\n\\n",y="}{,="} 1.5e3 1700000000000
a NaN
a{} +Inf
a -Inf
this is no line
b{x=unquoted
`;
  const scrape = parseScrape(text);
  assert.deepEqual(
    [...samplesOf(scrape, 'a')[0]!.labels],
    [
      ['x', 'q"\\n\n'],
      ['y', '}{,='],
    ],
  );
  assert.deepEqual(
    samplesOf(scrape, 'a').map(({ value }) => value),
    [1500, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  assert.equal(scrape.size, 1);
});

test('names of logs lead back to their pipeline', () => {
  assert.equal(pipelineOfLog('traces~0'), 'traces');
  assert.equal(pipelineOfLog('traces.2fa.c3.a4~12'), 'traces/aä');
  assert.equal(pipelineOfLog('logs@file_storage.2fx~3'), 'logs');
});
