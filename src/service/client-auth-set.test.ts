import assert from 'node:assert/strict';
import test from 'node:test';
import { findClientAuthenticator } from '../component/auth.ts';
import { PipelineError } from '../component/errors.ts';
import type { ComponentSettings, Logger } from '../component/settings.ts';
import type { ComponentPlan } from '../config/collector-plan.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { findFactory } from '../registry/registry.ts';
import { systemClock } from '../stdx/clock.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { ClientAuthSet } from './client-auth-set.ts';

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const settings = (id: string): ComponentSettings => ({
  id,
  logger,
  clock: systemClock,
  meter: new ThreadMeter(),
});

function plan(id: string, type: string, raw: unknown): ComponentPlan {
  const parsed = findFactory(BUILTIN, 'extension', type).configSchema.parse(raw);
  assert.deepEqual(parsed.issues, []);
  // Configurations reach the worker as a clone.
  return { id, type, config: structuredClone(parsed.value) };
}

const PLANS = [
  plan('bearertokenauth/a', 'bearertokenauth', { token: 'one' }),
  plan('headers_setter', 'headers_setter', { headers: [{ key: 'X-Scope-OrgID', value: 'acme' }] }),
  plan('basicauth/server', 'basicauth', { htpasswd: { inline: 'a:b' } }),
  plan('basicauth/client', 'basicauth', { client_auth: { username: 'a', password: 'b' } }),
  plan('file_storage', 'file_storage', { directory: '/tmp' }),
];

test('exporters of a worker get their authenticators by id, one instance for each', async () => {
  const set = new ClientAuthSet(BUILTIN, PLANS, settings);
  const exporter = { ...settings('otlphttp'), findClientAuth: (id: string) => set.find(id) };
  const headersOf = async (id: string) => {
    const headers: Record<string, string> = {};
    await (await findClientAuthenticator(exporter, id)).apply(headers);
    return headers;
  };
  assert.deepEqual(await headersOf('bearertokenauth/a'), { authorization: 'Bearer one' });
  assert.deepEqual(await headersOf('headers_setter'), { 'x-scope-orgid': 'acme' });
  assert.deepEqual(await headersOf('basicauth/client'), { authorization: 'Basic YTpi' });
  assert.equal(await set.find('headers_setter'), await set.find('headers_setter'));
  await set.shutdown(0);
});

test('an id that is no authenticator of exporters is refused by name', async () => {
  const set = new ClientAuthSet(BUILTIN, PLANS, settings);
  const exporter = { ...settings('otlphttp'), findClientAuth: (id: string) => set.find(id) };
  const cases: [string, RegExp][] = [
    ['bearertokenauth', /"bearertokenauth": authenticator not found/],
    ['file_storage', /"file_storage" is not a client authenticator/],
    ['basicauth/server', /extension basicauth\/server has no client_auth/],
  ];
  for (const [id, message] of cases) {
    await assert.rejects(findClientAuthenticator(exporter, id), (error: Error) => {
      assert.ok(error instanceof PipelineError);
      assert.match(error.message, message);
      return true;
    });
  }
  await set.shutdown(0);
});
