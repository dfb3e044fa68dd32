import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kafkaReceiverConfigSchema, rebalanceStrategies, signalTopics } from './config.ts';
import { markingRules } from './config-marking.ts';
import { kafkaReceiverFactory } from './factory.ts';

function parse(raw: unknown) {
  const parsed = kafkaReceiverConfigSchema.parse(raw);
  assert.ok(parsed.value !== undefined, JSON.stringify(parsed.issues));
  return { config: parsed.value, warnings: (parsed.warnings ?? []).map(({ message }) => message) };
}

function issues(raw: unknown): string[] {
  return kafkaReceiverConfigSchema
    .parse(raw)
    .issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('nothing written is what the Collector has by default', () => {
  const { config } = parse(null);
  assert.deepEqual(config.client.brokers, ['localhost:9092']);
  assert.deepEqual(signalTopics(config, 'traces'), { topics: ['otlp_spans'], encoding: 'otlp_proto' });
  assert.deepEqual(signalTopics(config, 'logs'), { topics: ['otlp_logs'], encoding: 'otlp_proto' });
  assert.equal(config.initialOffset, 'latest');
  assert.deepEqual([config.sessionTimeoutMs, config.heartbeatIntervalMs], [10_000, 3000]);
  assert.deepEqual(config.autocommit, { isEnabled: true, intervalMs: 1000 });
  assert.deepEqual(rebalanceStrategies(config), ['sticky']);
});

test('older spellings are read, with a warning each', () => {
  const { config, warnings } = parse({ topic: 'all', encoding: 'otlp_json', protocol_version: '2.0.0' });
  assert.deepEqual(signalTopics(config, 'metrics'), { topics: ['all'], encoding: 'otlp_json' });
  assert.equal(warnings.length, 3);
  const signal = parse({ logs: { topic: '^l', exclude_topic: 'x' }, group_rebalance_strategy: 'range' });
  assert.deepEqual(signal.config.logs.topics, ['^l']);
  assert.deepEqual(rebalanceStrategies(signal.config), ['range']);
  assert.equal(signal.warnings.length, 3);
});

test('what cannot be is refused with its key', () => {
  const cases: [unknown, RegExp][] = [
    [
      { initial_offset: 'middle' },
      /initial_offset should be one of 'latest' or 'earliest'. configured value middle/,
    ],
    [
      { logs: { exclude_topics: ['x'] } },
      /logs.exclude_topics is configured but none of the configured logs.topics use/,
    ],
    [{ logs: { topics: ['^('] } }, /logs.topics: "\^\(" is not a regular expression/],
    [{ logs: { encoding: 'zipkin_json' } }, /logs.encoding: "zipkin_json" is no encoding of logs/],
    [{ group_rebalance_strategies: ['cooperative-sticky'] }, /"cooperative-sticky" is not supported/],
    [{ group_rebalance_strategies: ['range'], group_rebalance_strategy: 'range' }, /cannot be used together/],
    [{ heartbeat_interval: '10s' }, /heartbeat_interval: must be below "session_timeout"/],
    [{ min_fetch_size: 10, max_fetch_size: 9 }, /max_fetch_size: must be at least "min_fetch_size"/],
    [{ auth: { sasl: { mechanism: 'OAUTHBEARER' } } }, /oauthbearer_token_source: is required/],
    [{ profiles: {} }, /"profiles" is not supported/],
  ];
  for (const [raw, pattern] of cases) assert.match(issues(raw).join('\n'), pattern);
});

test('keys of marking say what becomes of records that cannot be taken', () => {
  const rules = (raw: object) => {
    const { config } = parse(raw);
    return markingRules(config.marking, config.errorBackoff);
  };
  const FOR_EVER = Number.POSITIVE_INFINITY;
  assert.deepEqual([rules({}).giveUpAfterMs, rules({}).passesPermanent], [FOR_EVER, true]);
  // Without `after` the other keys say nothing.
  const before = rules({ message_marking: { on_error: true, on_permanent_error: false } });
  assert.deepEqual([before.giveUpAfterMs, before.passesPermanent], [FOR_EVER, true]);
  assert.equal(rules({ message_marking: { after: true } }).giveUpAfterMs, FOR_EVER);
  assert.equal(rules({ message_marking: { after: true, on_error: true } }).giveUpAfterMs, 0);
  const stands = rules({ message_marking: { after: true, on_permanent_error: false } });
  assert.equal(stands.passesPermanent, false);
  const error_backoff = { enabled: true, initial_interval: '1s', max_elapsed_time: '1m' };
  const bounded = rules({ message_marking: { after: true, on_error: true }, error_backoff });
  assert.deepEqual([bounded.giveUpAfterMs, bounded.backoff.initialIntervalMs], [60_000, 1000]);
  const endless = rules({
    message_marking: { after: true, on_error: true },
    error_backoff: { enabled: true },
  });
  assert.equal(endless.giveUpAfterMs, FOR_EVER);
});

test('pipeline workers learn the encodings that are not the own ones', () => {
  const { config } = parse({
    logs: { encoding: 'raw' },
    traces: { encoding: 'otlp_json' },
    encoding: 'zipkin_json',
  });
  assert.deepEqual(kafkaReceiverFactory.recordEncodings?.(config), { logs: 'raw' });
});
