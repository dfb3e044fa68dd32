import assert from 'node:assert/strict';
import test from 'node:test';
import { BUILTIN } from '../registry/builtin.ts';
import { parseCollectorConfig } from './collector-config.ts';
import { formatIssue } from './config-node.ts';

function issuesOf(authenticator: string, extensions: object, started: readonly string[]): string[] {
  const http = { auth: { authenticator } };
  const config = {
    receivers: { otlp: { protocols: { http } } },
    exporters: { nop: null },
    extensions,
    service: { extensions: started, pipelines: { traces: { receivers: ['otlp'], exporters: ['nop'] } } },
  };
  const { issues } = parseCollectorConfig('c.yaml', JSON.stringify(config), BUILTIN.values());
  return (issues ?? []).map(formatIssue);
}

test('an authenticator must be configured, started, and made for clients', () => {
  const extensions = {
    bearertokenauth: { token: 'a' },
    headers_setter: { headers: [{ key: 'a', value: 'b' }] },
  };
  const both = ['bearertokenauth', 'headers_setter'];
  assert.deepEqual(issuesOf('bearertokenauth', extensions, both), []);
  const cases: [string, readonly string[], RegExp][] = [
    ['bearertokenauht', both, /"bearertokenauht" which is not configured.*bearertokenauth/],
    ['headers_setter', both, /"headers_setter" which is not a server authenticator/],
    ['bearertokenauth', ['headers_setter'], /which is not listed in service::extensions/],
  ];
  for (const [id, started, message] of cases) {
    const issues = issuesOf(id, extensions, started);
    assert.equal(issues.length, 1, issues.join('\n'));
    assert.match(issues[0]!, message);
    assert.match(issues[0]!, /receivers::otlp::protocols::http::auth::authenticator/);
  }
});

test('an authenticator of an exporter must be made for exporters', () => {
  const config = {
    receivers: { otlp: { protocols: { http: null } } },
    exporters: { otlphttp: { endpoint: 'https://localhost', auth: { authenticator: 'file_storage' } } },
    extensions: { file_storage: null },
    service: {
      extensions: ['file_storage'],
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlphttp'] } },
    },
  };
  const { issues } = parseCollectorConfig('c.yaml', JSON.stringify(config), BUILTIN.values());
  assert.equal(issues?.length, 1);
  assert.match(
    formatIssue(issues[0]!),
    /exporters::otlphttp::auth::authenticator.*is not a client authenticator/,
  );
});
