import assert from 'node:assert/strict';
import test from 'node:test';
import { findClientAuthenticator } from '../component/auth.ts';
import type { ComponentSettings, Logger } from '../component/settings.ts';
import type { ComponentPlan } from '../config/collector-plan.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { findFactory } from '../registry/registry.ts';
import { systemClock } from '../stdx/clock.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { ExtensionSet } from './extension-set.ts';
import { StatusBoard } from './status-board.ts';

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
  return { id, type, config: parsed.value };
}

const token = (text: string) => plan('bearertokenauth', 'bearertokenauth', { token: text });
const storage = plan('file_storage', 'file_storage', { directory: '/tmp' });

test('receivers that reach out get the credentials of the extension that runs now', async () => {
  const set = new ExtensionSet({
    registry: BUILTIN,
    logger,
    board: new StatusBoard(systemClock, logger),
    settings,
  });
  const receiver = { ...settings('kafka'), findClientAuth: (id: string) => set.findClientAuth(id) };
  const authorization = async () => {
    const headers: Record<string, string> = {};
    await (await findClientAuthenticator(receiver, 'bearertokenauth')).apply(headers);
    return headers.authorization;
  };
  await set.apply([token('one'), storage], 0);
  assert.equal(await authorization(), 'Bearer one');
  assert.equal(await set.findClientAuth('bearertokenauth'), await set.findClientAuth('bearertokenauth'));
  await assert.rejects(findClientAuthenticator(receiver, 'file_storage'), /is not a client authenticator/);

  await set.apply([token('two'), storage], 0);
  assert.equal(await authorization(), 'Bearer two');
  await set.apply([storage], 0);
  await assert.rejects(authorization, /"bearertokenauth": authenticator not found/);
  await set.shutdown(0);
});
