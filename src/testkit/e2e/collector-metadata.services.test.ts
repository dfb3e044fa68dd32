/** The Go Collector and the engine with the same configuration and the same clients: same attributes, same headers. */
import assert from 'node:assert/strict';
import { before, describe, type TestContext, test } from 'node:test';
import { tempDir } from '../certificates.ts';
import { type EnginePorts, EngineProcess, freePorts, until } from '../engine-process.ts';
import { CollectorProcess, installPrograms, type Programs } from '../services/programs.ts';
import {
  configOf,
  overGrpc,
  overHttp,
  type SentRequest,
  sendSpans,
  startHttpSink,
} from './metadata.test-peer.ts';

interface Client {
  name: string;
  headers: [string, string][];
}

const CLIENTS: readonly Client[] = [
  { name: 'plain', headers: [] },
  { name: 'tenant', headers: [['X-Tenant', 'acme']] },
  {
    name: 'other',
    headers: [
      ['x-tenant', 'umbrella'],
      ['x-utf8', Buffer.from('b\u00e9 c', 'utf8').toString('latin1')],
    ],
  },
  { name: 'empty', headers: [['x-tenant', '']] },
  {
    name: 'list',
    headers: [
      ['x-tenant', 'acme'],
      ['x-list', '1, 2'],
    ],
  },
];
/** Only metadata of gRPC can have a value twice in these clients. */
const GRPC_CLIENTS: readonly Client[] = [
  {
    name: 'twice',
    headers: [
      ['x-tenant', 'acme'],
      ['x-list', '1'],
      ['x-list', '2,3'],
    ],
  },
];

const upsert = (key: string, from_context: string, more: object = {}) => ({
  ...{ action: 'upsert', key, from_context },
  ...more,
});

const ATTRIBUTES = {
  actions: [
    upsert('tenant', 'metadata.X-Tenant'),
    upsert('bare', 'x-tenant'),
    upsert('list', 'metadata.x-list'),
    upsert('utf8', 'metadata.x-utf8'),
    upsert('agent', 'metadata.user-agent'),
    upsert('address', 'client.address'),
    upsert('defaulted', 'x-tenant', { default_value: 'nobody' }),
    upsert('absent', 'auth.username'),
    { action: 'insert', key: 'tenant', from_context: 'metadata.x-list' },
    { action: 'update', key: 'missing', from_context: 'metadata.x-tenant' },
  ],
};

interface Run {
  processors: Record<string, unknown>;
  headers: Record<string, unknown>[];
  auth?: string;
  send(ports: EnginePorts): Promise<string[]>;
}

/** What the sink got: each span with its attributes and the headers that were set. */
function seen(requests: readonly SentRequest[], names: readonly string[]) {
  return requests
    .flatMap(({ headers, spans }) =>
      [...spans].map(([name, attributes]) => ({
        name,
        attributes: Object.fromEntries(Object.entries(attributes).sort()),
        headers: Object.fromEntries(names.map((header) => [header, headers[header]])),
      })),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function through(
  t: TestContext,
  { processors, headers, auth, send }: Run,
  programs: Programs | undefined,
) {
  const [sink, ports] = [await startHttpSink(t), await freePorts()];
  const config = configOf(
    ports,
    {
      otlphttp: {
        endpoint: `http://127.0.0.1:${sink.port}`,
        compression: 'none',
        headers: { 'x-own': 'own' },
        auth: { authenticator: 'headers_setter' },
      },
    },
    {
      extensions: {
        headers_setter: { headers },
        ...(auth === undefined ? {} : { [auth]: { htpasswd: { inline: 'alice:secret-a\nbob:secret-b' } } }),
      },
      processors,
      ...(auth === undefined ? {} : { auth }),
    },
  );
  if (programs === undefined) {
    const engine = await EngineProcess.start({ config, dataDir: await tempDir(t) });
    t.after(() => engine.kill());
  } else {
    const collector = await CollectorProcess.start(programs, JSON.parse(config));
    t.after(() => collector.stop());
  }
  const names = await send(ports);
  await until('all spans', () => seen(sink.requests, []).length >= names.length);
  return {
    sink,
    found: seen(
      sink.requests,
      headers.map(({ key }) => String(key).toLowerCase()),
    ),
  };
}

describe('metadata beside the Go Collector', () => {
  let programs: Programs;
  before(async () => {
    programs = await installPrograms();
  });

  test('headers become attributes, part batches and are sent on as the Collector does it', async (t) => {
    const run: Run = {
      processors: { attributes: ATTRIBUTES, batch: { timeout: '200ms', metadata_keys: ['X-Tenant'] } },
      headers: [
        { key: 'X-Scope-OrgID', from_context: 'X-TENANT', default_value: 'nobody' },
        { key: 'x-fixed', value: 'v' },
        { key: 'x-missing', from_context: 'x-absent', action: 'insert' },
        { key: 'X-Own', from_context: 'x-tenant', action: 'update', default_value: 'none' },
      ],
      send: async (ports) => {
        const names: string[] = [];
        for (const { name, headers } of CLIENTS) {
          for (const round of [1, 2]) {
            names.push(`http-${name}-${round}`, `grpc-${name}-${round}`);
            assert.equal(
              await sendSpans(overHttp(ports, Object.fromEntries(headers)), [`http-${name}-${round}`]),
              '',
            );
            // What is not ASCII cannot be in the metadata of gRPC.
            const ascii = headers.filter(([, value]) => !/[^ -~]/.test(value));
            assert.equal(await sendSpans(overGrpc(ports, ascii), [`grpc-${name}-${round}`]), '');
          }
        }
        for (const { name, headers } of GRPC_CLIENTS) {
          names.push(name);
          assert.equal(await sendSpans(overGrpc(ports, headers), [name]), '');
        }
        return names;
      },
    };
    const [theirs, ours] = [await through(t, run, programs), await through(t, run, undefined)];
    assert.deepEqual(ours.found, theirs.found);
    for (const { requests } of [theirs.sink, ours.sink]) {
      for (const { spans } of requests) {
        const tenants = new Set([...spans.values()].map(({ tenant }) => tenant));
        assert.equal(tenants.size, 1, 'no request mixes clients');
      }
    }
  });

  test('who was authenticated becomes attributes and headers', async (t) => {
    const run: Run = {
      processors: {
        attributes: {
          actions: [
            upsert('user', 'auth.username'),
            upsert('raw', 'auth.raw'),
            upsert('none', 'auth.absent'),
          ],
        },
      },
      headers: [
        { key: 'x-user', from_attribute: 'username' },
        { key: 'x-raw', from_attribute: 'raw' },
        { key: 'x-none', from_attribute: 'absent' },
      ],
      auth: 'basicauth',
      send: async (ports) => {
        const names: string[] = [];
        for (const user of ['alice', 'bob']) {
          const credentials = Buffer.from(`${user}:secret-${user[0]}`).toString('base64');
          const authorization = `Basic ${credentials}`;
          names.push(`http-${user}`, `grpc-${user}`);
          assert.equal(await sendSpans(overHttp(ports, { authorization }), [`http-${user}`]), '');
          assert.equal(
            await sendSpans(overGrpc(ports, [['authorization', authorization]]), [`grpc-${user}`]),
            '',
          );
        }
        return names;
      },
    };
    const [theirs, ours] = [await through(t, run, programs), await through(t, run, undefined)];
    assert.deepEqual(ours.found, theirs.found);
  });
});
