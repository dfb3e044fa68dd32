/**
 * The Collector and millrace say about hundreds of small configurations whether they are right. Where they differ, the
 * difference is listed here with its reason.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { parseCollectorConfig } from '../../config/collector-config.ts';
import { formatIssue } from '../../config/config-node.ts';
import { BUILTIN } from '../../registry/builtin.ts';
import { installPrograms } from '../services/programs.ts';
import { VERDICT_CASES } from '../services/verdict-cases.ts';

const AT_ONCE = 3;
const LATER = 'the Collector notices when it starts, or when it sends';
const NEVER = 'the Collector runs with something else than what is written';
const NOT_YET = 'not supported yet, and refused by name';
const START = 'noticed when millrace starts, not by validate';

const DIFFERENCES: Readonly<Record<string, string>> = {
  'batch timeout 0.5': NEVER,
  'batch size 1.5': NEVER,
  'otlp {protocols: {grpc: {max_recv_msg_size_mib: 1.5}}}': NEVER,
  'action {key: a, value: 2026-01-01, action: insert}': 'a date is text here',
  'action {key: a, from_attribute: "", action: insert}': 'an attribute may have an empty name',
  'include {match_type: strict, attributes: [{key: a, value: {b: 1}}]}': NOT_YET,
  'include {match_type: strict, libraries: [{version: "1"}]}': NEVER,
  'otlp_grpc {endpoint: "x"}': 'gRPC has a default port',
  'otlp_grpc {endpoint: "x:1", sending_queue: {enabled: false, queue_size: 0}}':
    'checked whether it is used or not',
  'otlp_grpc {endpoint: "x:1", sending_queue: {storage: file_storage}}': LATER,
  'otlp_http {endpoint: "x:1"}': LATER,
  'otlp_http {endpoint: "ftp://x:1"}': LATER,
  'otlp_http {endpoint: "http://"}': LATER,
  'otlp_http {endpoint: "http://x:1", compression: lz4}': NOT_YET,
  'otlp_http {endpoint: "http://x:1", proxy_url: "::"}': LATER,
  'otlp_http {endpoint: "http://x:1", cookies: {enabled: true}}': NOT_YET,
  'otlp_http {endpoint: "http://x:1", auth: {authenticator: nobody}}': LATER,
  'file {path: ./x, append: true, compression: zstd}': NOT_YET,
  'file {path: ./x, rotation: {max_megabytes: -1}}': NEVER,
  'debug {sampling_initial: -1}': NEVER,
  'otlp {protocols: {http: {endpoint: "127.0.0.1"}}}': LATER,
  'otlp {protocols: {http: {endpoint: "127.0.0.1:99999"}}}': LATER,
  'otlp {protocols: {http: {endpoint: ""}}}': LATER,
  'otlp {protocols: {http: {max_request_body_size: 1MiB}}}': 'sizes may have units here',
  'otlp {protocols: {http: {max_request_body_size: -1}}}': NEVER,
  'otlp {protocols: {http: {compression_algorithms: [rar]}}}': NEVER,
  'otlp {protocols: {http: {keep_alives_enabled: false}}}': NOT_YET,
  'otlp {protocols: {grpc: {transport: udp}}}': LATER,
  'otlp {protocols: {grpc: {auth: {authenticator: zpages}}}}': LATER,
  'otlp {protocols: {http: {auth: }}}': NEVER,
  'ext basicauth: {htpasswd: {inline: ""}}': LATER,
  'ext basicauth: {client_auth: {username: a}}': NEVER,
  'ext headers_setter: {headers: [{key: a, action: shout, value: b}]}': NEVER,
  'ext health_check: {endpoint: "x"}': LATER,
  'ext file_storage: {directory: /nope/nope}': START,
  'ext file_storage: {directory: /tmp, timeout: -1s}': NEVER,
  'service telemetry: {logs: {encoding: xml}}': LATER,
  'service telemetry: {metrics: {address: ":8888"}}': 'the older key still works here',
  'service telemetry: {metrics: {readers: [{pull: {}}]}}': LATER,
};

/** '' when the Collector takes it, else what it says. */
function askCollector(otelcol: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      otelcol,
      ['validate', '--config', `yaml:${text}`],
      { timeout: 20_000 },
      (error, _stdout, stderr) => resolve(error === null ? '' : stderr.trim() || error.message),
    );
  });
}

test('both think alike of right and wrong configurations, but for what is listed', {
  timeout: 300_000,
}, async (t) => {
  const { otelcol } = await installPrograms();
  const names = Object.keys(VERDICT_CASES);
  const queue = [...names];
  const found = new Map<string, string>();
  const refused = { both: 0, neither: 0 };
  const work = async (): Promise<void> => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const text = VERDICT_CASES[name]!;
      const theirs = await askCollector(otelcol, text);
      const ours = (parseCollectorConfig('f', text, BUILTIN.values(), {}).issues ?? []).map(formatIssue);
      if ((theirs === '') !== (ours.length === 0))
        found.set(name, `${theirs || 'taken'} | ${ours.join(' | ') || 'taken'}`);
      else refused[theirs === '' ? 'neither' : 'both'] += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  t.diagnostic(
    `${names.length} configurations: ${refused.neither} taken and ${refused.both} refused by both`,
  );
  assert.deepEqual(
    [...found].filter(([name]) => !(name in DIFFERENCES)),
    [],
  );
  assert.deepEqual(
    Object.keys(DIFFERENCES).filter((name) => !found.has(name)),
    [],
    'differences that are none any more',
  );
});
