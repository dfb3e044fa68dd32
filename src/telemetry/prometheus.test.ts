import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ITEM_SUFFIX } from '../component/signal.ts';
import { CHECKOUT, listFiles, readSource } from '../testkit/source-tree.ts';
import { MeterAggregate } from './aggregate.ts';
import { LATENCY_STAGES, METRICS } from './metrics.ts';
import { EXPOSITION_DEFAULT, formatPercentiles, formatPrometheus } from './prometheus.ts';
import { ThreadMeter } from './registry.ts';

const clock = { unixMs: () => 0, monotonicMs: () => 0 };

interface Sample {
  family: string;
  name: string;
  labels: Record<string, string>;
  value: number;
}

const UNESCAPED: Record<string, string> = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const match = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/.exec(rest);
    assert.ok(match, `labels ${rest}`);
    assert.equal(labels[match[1]!], undefined, `label ${match[1]} twice`);
    labels[match[1]!] = match[2]!.replace(/\\["\\n]/g, (pair) => UNESCAPED[pair]!);
    rest = rest.slice(match[0].length);
    assert.ok(match[3] === '' || rest !== '', 'a trailing comma');
  }
  return labels;
}

/** A strict reader of the text format 0.0.4, written from its description. */
function parseExposition(text: string): Sample[] {
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const samples: Sample[] = [];
  const families = new Map<string, string>();
  const seen = new Set<string>();
  let helpFor: string | undefined;
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (comment?.[1] === 'HELP') {
      helpFor = comment[2]!;
      continue;
    }
    if (comment !== null) {
      assert.equal(helpFor, comment[2], 'HELP stands before TYPE of the same metric');
      assert.ok(['counter', 'gauge', 'summary', 'histogram'].includes(comment[3]!));
      assert.ok(!families.has(comment[2]!), `${comment[2]} has two TYPE lines`);
      family = comment[2]!;
      families.set(family, comment[3]!);
      continue;
    }
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    assert.ok(match, `line ${line}`);
    const [, name, labels = '', value] = match;
    const suffixesOf: Record<string, string[]> = {
      summary: ['', '_sum', '_count'],
      histogram: ['_bucket', '_sum', '_count'],
    };
    const suffixes = suffixesOf[families.get(family)!] ?? [''];
    assert.ok(
      suffixes.some((suffix) => name === family + suffix),
      `${name} stands below ${family}`,
    );
    const sample = { family, name: name!, labels: parseLabels(labels), value: Number(value) };
    assert.ok(value === 'NaN' || Number.isFinite(sample.value), `value ${value}`);
    const key = JSON.stringify([name, Object.entries(sample.labels).sort()]);
    assert.ok(!seen.has(key), `${line} twice`);
    seen.add(key);
    samples.push(sample);
  }
  return samples;
}

function aggregateOf(...meters: ThreadMeter[]): MeterAggregate {
  const aggregate = new MeterAggregate(clock);
  for (const [i, meter] of meters.entries()) aggregate.update(`t${i}`, structuredClone(meter.takeSnapshot()));
  return aggregate;
}

test('every metric and stage of the table comes out as valid exposition text', () => {
  const meters = [new ThreadMeter(), new ThreadMeter()];
  for (const meter of meters) {
    for (const { name, kind } of METRICS) {
      if (kind === 'counter') for (const exporter of ['a', 'b']) meter.counter(name, { exporter }).add(2);
      else if (kind === 'histogram') meter.histogram(name).record(0.3);
      else meter.gauge(name).set(1.5);
    }
    for (const stage of LATENCY_STAGES.keys()) meter.latency(stage, { transport: 'http' }).record(1500);
  }
  const options = { ...EXPOSITION_DEFAULT, level: 'detailed' as const };
  const samples = parseExposition(formatPrometheus(aggregateOf(...meters), 0, options));
  for (const { name, kind, bounds, combine } of METRICS) {
    if (kind === 'histogram') {
      const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
      assert.deepEqual(
        buckets.map(({ labels }) => labels.le),
        [...bounds!.map(String), '+Inf'],
      );
      for (const { labels, value } of buckets)
        assert.equal(value, (labels.le === '+Inf' ? Infinity : Number(labels.le)) < 0.3 ? 0 : 2, name);
      const of = (suffix: string) => samples.find((sample) => sample.name === name + suffix)!.value;
      assert.deepEqual([of('_count'), of('_sum')], [2, 0.6], name);
      continue;
    }
    const found = samples.filter((sample) => sample.name === name);
    assert.equal(found.length, kind === 'counter' ? 2 : 1, name);
    const expected = kind === 'counter' ? 4 : combine === 'max' ? 1.5 : 3;
    for (const { value } of found) assert.equal(value, expected, name);
  }
  for (const stage of LATENCY_STAGES.keys()) {
    const name = `millrace_${stage}_seconds`;
    const quantiles = samples.filter((sample) => sample.name === name);
    assert.deepEqual(
      quantiles.map(({ labels }) => labels.quantile),
      ['0.5', '0.9', '0.99', '0.999', '0.9999'],
    );
    for (const { value } of quantiles) assert.ok(Math.abs(value - 0.0015) < 0.00001, String(value));
    const one = (suffix: string) => samples.find((sample) => sample.name === name + suffix)!.value;
    assert.equal(one('_count'), 2);
    assert.ok(Math.abs(one('_sum') - 0.003) < 0.00001);
    assert.ok(Math.abs(one('_max') - 0.0015) < 0.00001);
  }
});

test('hostile label values cannot write lines of their own', () => {
  const values = ['a"b', 'a\\', 'a\nmillrace_log_commits 1', '"} 1\n', 'ü\u0000', '\\n'];
  const meter = new ThreadMeter();
  for (const log of values) meter.gauge('millrace_log_items', { log }).set(1);
  const samples = parseExposition(formatPrometheus(aggregateOf(meter), 0));
  assert.deepEqual(
    samples.map(({ labels }) => labels.log),
    values,
  );
});

test('an idle stage shows NaN quantiles and keeps its count', () => {
  const meter = new ThreadMeter();
  meter.latency('ring_wait').record(10);
  const samples = parseExposition(formatPrometheus(aggregateOf(meter), 10 * 60_000));
  assert.ok(Number.isNaN(samples.find(({ labels }) => labels.quantile === '0.5')!.value));
  assert.equal(samples.find(({ name }) => name === 'millrace_ring_wait_seconds_count')!.value, 1);
});

test('a metric outside the table is refused, not lost', () => {
  const meter = new ThreadMeter();
  meter.counter('millrace_unheard_of').add(1);
  assert.throws(() => formatPrometheus(aggregateOf(meter), 0), /millrace_unheard_of/);
});

test('names of the table are valid, unique, documented, and hold to their prefix', () => {
  assert.equal(new Set(METRICS.map(({ name }) => name)).size, METRICS.length);
  for (const { name, doc, unit } of METRICS) {
    assert.match(name, /^(otelcol|millrace|http|rpc)_[a-z0-9_]+$/);
    assert.match(doc, /^[A-Z0-9].*[^.\s]\.$|^p99 .*\.$/, name);
    assert.notEqual(unit, '');
  }
});

/** `.counter('name'` and the like in production code; a template over ITEM_SUFFIX stands for all its names. */
function usesInSources(): { file: string; kind: string; name: string }[] {
  const call = /\.(counter|gauge|latency|histogram)\(\s*(?:'([^']+)'|`([^`]+)`)/g;
  const files = listFiles(CHECKOUT, ['src', 'workers'], '.ts').filter(
    (file) => !/\.test|testkit\//.test(file),
  );
  return files.flatMap((file) =>
    [...readSource(file).matchAll(call)].flatMap(([, kind, literal, template]) => {
      const names =
        literal !== undefined
          ? [literal]
          : Object.values(ITEM_SUFFIX).map((suffix) => template!.replace(/\$\{ITEM_SUFFIX[^}]*\}/, suffix));
      return names.map((name) => ({ file, kind: kind!, name }));
    }),
  );
}

test('every metric that the sources name is in the table, with its kind', () => {
  const uses = usesInSources();
  assert.ok(uses.length > 25, `found only ${uses.length}: the search is broken`);
  const kinds = new Map(METRICS.map(({ name, kind }) => [name, kind as string]));
  for (const stage of LATENCY_STAGES.keys()) kinds.set(stage, 'latency');
  // Prefixes that the receiver completes itself.
  const open = uses.filter(({ name }) => !name.includes('${'));
  assert.deepEqual(
    open.filter(({ name, kind }) => kinds.get(name) !== kind),
    [],
  );
});

/** Names that sources put together: from a template with a name's beginning, or from a quoted beginning. */
function composedNames(text: string): RegExp[] {
  const templates = [...text.matchAll(/`((?:otelcol|millrace)_\w*\$\{[^`]*)`/g)].map(([, template]) =>
    template!.replace(/\$\{[^}]*\}/g, '\\w+'),
  );
  const beginnings = [...text.matchAll(/'((?:otelcol|millrace)_(?:\w+_)?)'/g)].map(
    ([, beginning]) => `${beginning}\\w+`,
  );
  return [...templates, ...beginnings].map((pattern) => new RegExp(`^${pattern}$`));
}

test('every metric of the table is named somewhere in the sources', () => {
  const suffix = new RegExp(`_(${Object.values(ITEM_SUFFIX).join('|')})$`);
  const files = listFiles(CHECKOUT, ['src'], '.ts').filter(
    (file) => !/\.test|testkit\/|telemetry\/metrics|src\/top\//.test(file),
  );
  const text = files.map(readSource).join('\n');
  const composed = composedNames(text);
  const missing = [...METRICS.map(({ name }) => name), ...LATENCY_STAGES.keys()].filter(
    (name) =>
      !text.includes(`'${name}'`) &&
      !text.includes(`'${name.replace(suffix, '')}'`) &&
      !composed.some((pattern) => pattern.test(name)),
  );
  assert.deepEqual(missing, []);
});

test('/debug/latency text: HDR percentiles in milliseconds, one block a series, undefined for unknown stages', async () => {
  const meter = new ThreadMeter();
  meter.latency('request_to_ack', { transport: 'http' }).record(2000);
  meter.latency('request_to_ack', { transport: 'grpc' }).record(4000);
  const aggregate = aggregateOf(meter);
  const text = (await formatPercentiles(aggregate, 'request_to_ack', 0))!;
  assert.match(text, /transport="http"[\s\S]*Value +Percentile +TotalCount[\s\S]*\b2\.00/);
  assert.match(text, /transport="grpc"[\s\S]*\b4\.00/);
  assert.match((await formatPercentiles(aggregate, 'group_commit', 0))!, /nothing recorded yet/);
  assert.equal(await formatPercentiles(aggregate, 'nonsense', 0), undefined);
  assert.equal(await formatPercentiles(aggregate, '', 0), undefined);
});
