/** The same requests and the same YAML, through the Collector's tail_sampling and through our policies: the same traces are kept. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { scanRequest } from '../../otlp/scan.ts';
import { RequestIndex } from '../../pdata/request-index.ts';
import {
  policyBed,
  TraceMap,
  withPolicies,
} from '../../processors/tail_sampling/policies/policies.test-peer.ts';
import { VERDICT_SAMPLED } from '../../processors/tail_sampling/policy-set.ts';
import { freePort } from '../engine-process.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';
import { samplingGroups } from '../services/sampling-requests.ts';

const TRACES = 21_000;
const DECISION_WAIT_MS = 5000;
/** A group of requests that took longer says nothing: some of its traces may have been decided half. */
const GROUP_MS_MAX = DECISION_WAIT_MS / 2;

const policy = (type: string, block: Message): Message => ({ type, [type]: block });
const text = (key: string, ...values: string[]) => policy('string_attribute', { key, values });
const regex = (key: string, ...values: string[]) =>
  policy('string_attribute', { key, values, enabled_regex_matching: true });
const inverted = (type: string, block: Message) => policy(type, { ...block, invert_match: true });
const failed = policy('status_code', { status_codes: ['ERROR'] });
const named = (policies: readonly Message[]) => policies.map((each, at) => ({ name: `s${at}`, ...each }));
const and = (...all: Message[]) => policy('and', { and_sub_policy: named(all) });
const drop = (...all: Message[]) => policy('drop', { drop_sub_policy: named(all) });
const not = (one: Message) => policy('not', { not_sub_policy: { name: 'n', ...one } });
const oneSpan = policy('span_count', { min_spans: 1, max_spans: 1 });

const CASES: Record<string, Message> = {
  latency: withPolicies([policy('latency', { threshold_ms: 100 })]),
  // The Collector asks for the upper bound after each span, so only traces of one span have one answer.
  latency_upper: withPolicies([
    and(oneSpan, policy('latency', { threshold_ms: 10, upper_threshold_ms: 250 })),
  ]),
  numeric: withPolicies([policy('numeric_attribute', { key: 'retries', min_value: -2, max_value: 3 })]),
  numeric_min: withPolicies([policy('numeric_attribute', { key: 'size', min_value: 501 })]),
  numeric_max: withPolicies([policy('numeric_attribute', { key: 'size', max_value: -1 })]),
  numeric_inverted: withPolicies([inverted('numeric_attribute', { key: 'retries', min_value: 1 })]),
  probabilistic: withPolicies([policy('probabilistic', { sampling_percentage: 22.5 })]),
  probabilistic_salt: withPolicies([
    policy('probabilistic', { sampling_percentage: 7, hash_salt: 'another salt' }),
  ]),
  status: withPolicies([failed]),
  status_two: withPolicies([policy('status_code', { status_codes: ['ERROR', 'OK'] })]),
  text: withPolicies([text('tenant', 'acme', '')]),
  text_many: withPolicies([text('http.route', '/', '/healthz', '/api/v1/cart', '/Ünï/cødé', '/x', 'acme')]),
  text_resource: withPolicies([text('service.name', 'wonka', 'stark')]),
  text_inverted: withPolicies([inverted('string_attribute', { key: 'tenant', values: ['acme', 'stark'] })]),
  regex: withPolicies([regex('http.route', '^/api/v[0-9]+/(pay|x)$', 'static')]),
  regex_empty: withPolicies([regex('tenant', '^(acme)?$')]),
  regex_words: withPolicies([regex('http.route', '(?i)ünï', '\\bhealth')]),
  boolean_true: withPolicies([policy('boolean_attribute', { key: 'cached', value: true })]),
  boolean_false: withPolicies([policy('boolean_attribute', { key: 'cached', value: false })]),
  boolean_inverted: withPolicies([inverted('boolean_attribute', { key: 'cached', value: true })]),
  trace_state: withPolicies([policy('trace_state', { key: 'vendor', values: ['a'] })]),
  trace_flags: withPolicies([{ type: 'trace_flags' }]),
  span_count: withPolicies([policy('span_count', { min_spans: 2, max_spans: 3 })]),
  span_count_min: withPolicies([policy('span_count', { min_spans: 5 })]),
  and: withPolicies([and(failed, regex('http.route', '/'))]),
  and_not: withPolicies([
    and(text('tenant', 'acme', 'hooli'), not(failed), policy('span_count', { min_spans: 2 })),
  ]),
  not: withPolicies([not(policy('latency', { threshold_ms: 30 }))]),
  drop: withPolicies([
    policy('latency', { threshold_ms: 100 }),
    text('tenant', 'acme'),
    drop(text('http.route', '/healthz', '/')),
    drop(failed, not(text('tenant', 'acme'))),
  ]),
  inverted_and_plain: withPolicies([
    inverted('string_attribute', { key: 'tenant', values: ['acme'] }),
    failed,
  ]),
  first_match: withPolicies(
    [failed, drop(text('tenant', 'wayne')), policy('probabilistic', { sampling_percentage: 10 })],
    {
      sample_on_first_match: true,
    },
  ),
  composite: withPolicies([
    policy('composite', {
      max_total_spans_per_second: 1_000_000,
      policy_order: ['s0', 's1', 's2'],
      composite_sub_policy: named([failed, and(text('tenant', 'acme'), oneSpan), text('http.route', '/')]),
      rate_allocation: ['s0', 's1', 's2'].map((name) => ({ policy: name, percent: 33 })),
    }),
  ]),
  ottl_span: withPolicies([
    policy('ottl_condition', {
      error_mode: 'silent',
      span: [
        'attributes["retries"] > 9',
        'IsMatch(attributes["http.route"], "^/api/v[0-9]{2}") and status.code != 2',
        'resource.attributes["service.name"] == "wonka" and attributes["cached"] == true',
      ],
    }),
  ]),
  ottl_event: withPolicies([
    policy('ottl_condition', {
      error_mode: 'ignore',
      spanevent: ['name == "exception" and span.attributes["tenant"] != nil'],
    }),
  ]),
  ottl_mixed: withPolicies([
    and(
      policy('ottl_condition', {
        error_mode: 'ignore',
        span: ['end_time_unix_nano - start_time_unix_nano > 15000000 or attributes["size"] * 2 == 1000'],
        spanevent: ['name == "retry"'],
      }),
      not(failed),
      policy('span_count', { max_spans: 3 }),
    ),
  ]),
  rate_unreached: withPolicies([
    and(
      failed,
      policy('rate_limiting', { spans_per_second: 1_000_000 }),
      policy('bytes_limiting', { bytes_per_second: 1e9 }),
    ),
  ]),
};

test('policies keep the traces that the Collector keeps', { timeout: 600_000 }, async (t) => {
  const programs = await installPrograms();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-tail-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const collector = await CollectorProcess.start(programs, collectorConfig(port, directory));
  t.after(() => collector.stop());
  const beds = Object.values(CASES).map((config) => new TraceMap(policyBed(config).set));
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);

  const wanted = new Set<string>();
  for (const { requests, traceIds } of samplingGroups(TRACES, seed)) {
    const startMs = performance.now();
    for (const body of requests) await send(port, body);
    if (performance.now() - startMs > GROUP_MS_MAX) continue;
    for (const bed of beds) for (const body of requests) bed.observe(body);
    for (const id of traceIds) wanted.add(id);
  }
  // It decides what is pending before it ends.
  await collector.stop();
  assert.ok(wanted.size > TRACES / 2, `only ${wanted.size} traces came in time`);
  t.diagnostic(`${wanted.size} traces`);
  for (const [at, name] of Object.keys(CASES).entries()) {
    const theirs = keptTraces(join(directory, name)).filter((id) => wanted.has(id));
    const ours = [...wanted].filter((id) => beds[at]!.decide(id, 1000 * at) === VERDICT_SAMPLED);
    const [theirsOnly, oursOnly] = [difference(theirs, ours), difference(ours, theirs)];
    t.diagnostic(`${name}: ${theirs.length} kept`);
    assert.deepEqual({ name, theirsOnly, oursOnly }, { name, theirsOnly: [], oursOnly: [] });
    assert.ok(ours.length > 0 && ours.length < wanted.size, `${name} keeps ${ours.length} traces`);
  }
});

function collectorConfig(port: number, directory: string): unknown {
  const names = Object.keys(CASES);
  const ofAll = (make: (name: string) => [string, unknown]) => Object.fromEntries(names.map(make));
  return {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    processors: ofAll((name) => [
      `tail_sampling/${name}`,
      { decision_wait: `${DECISION_WAIT_MS}ms`, num_traces: 10 * TRACES, ...CASES[name] },
    ]),
    exporters: ofAll((name) => [`file/${name}`, { path: join(directory, name), format: 'proto' }]),
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: ofAll((name) => [
        `traces/${name}`,
        { receivers: ['otlp'], processors: [`tail_sampling/${name}`], exporters: [`file/${name}`] },
      ]),
    },
  };
}

/** Requests behind sizes of four bytes, as the file exporter writes them. */
function keptTraces(path: string): string[] {
  const bytes = readFileSync(path);
  const index = new RequestIndex();
  const ids = new Set<string>();
  for (let pos = 0; pos < bytes.length; ) {
    const start = pos + 4;
    pos = start + bytes.readUInt32BE(pos);
    scanRequest('traces', bytes, start, pos, index);
    for (let item = 0; item < index.itemCount; item++) {
      const idAt = index.itemTraceId[item]!;
      ids.add(bytes.toString('hex', idAt, idAt + 16));
    }
  }
  return [...ids];
}

function difference(of: readonly string[], without: readonly string[]): string[] {
  const others = new Set(without);
  return of.filter((id) => !others.has(id));
}

async function send(port: number, body: Uint8Array): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: Buffer.from(body),
  });
  assert.equal(response.status, 200, await response.text());
}
