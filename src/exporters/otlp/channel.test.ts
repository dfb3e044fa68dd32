import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { systemClock } from '../../stdx/clock.ts';
import { freePort } from '../../testkit/engine-process.ts';
import { GrpcChannel } from '../helper/grpc/channel.ts';
import type { GrpcConnection } from '../helper/grpc/connection.ts';
import { parseTarget } from '../helper/grpc/target.ts';
import { startGrpcBackend } from './grpc-backend.test-peer.ts';

/** Behind the name are a port where nobody listens and two servers: names cannot do that, so the lookup is replaced. */
async function startChannel(t: TestContext, balancer: 'round_robin' | 'pick_first') {
  const servers = [
    await startGrpcBackend(t, () => undefined),
    await startGrpcBackend(t, () => undefined),
  ] as const;
  const ports = [await freePort(), servers[0].port, servers[1].port];
  const target = parseTarget('collector:4317');
  assert.ok(!('error' in target));
  let lookUps = 0;
  const channel = new GrpcChannel({
    target,
    authority: 'collector:4317',
    tls: undefined,
    keepalive: undefined,
    balancer,
    waitsForReady: false,
    clock: systemClock,
    resolve: async () => {
      lookUps++;
      return ports.map((port) => ({ host: '127.0.0.1', port }));
    },
  });
  t.after(() => channel.close());
  return { channel, servers, ports, lookUps: () => lookUps };
}

const signal = () => AbortSignal.timeout(9000);

test('round_robin takes all addresses in turn and passes over the dead one', async (t) => {
  const { channel, servers } = await startChannel(t, 'round_robin');
  const used: GrpcConnection[] = [];
  for (let call = 0; call < 12; call++) used.push(await channel.acquire(signal()));
  const counts = [...new Set(used)].map((one) => used.filter((each) => each === one).length);
  assert.equal(counts.length, 2, 'one connection to each server');
  assert.ok(
    counts.every((count) => count >= 4),
    `both are used: ${counts}`,
  );
  assert.deepEqual(
    servers.map(({ sessions }) => sessions.length),
    [1, 1],
  );
});

test('pick_first stays with the first that answers, and moves on when it goes', async (t) => {
  const { channel, servers } = await startChannel(t, 'pick_first');
  const first = await channel.acquire(signal());
  assert.equal(await channel.acquire(signal()), first);
  assert.equal(servers[1].sessions.length, 0);
  servers[0].sessions[0]!.destroy();
  while (first.isUsable) await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await channel.acquire(signal());
  assert.notEqual(second, first);
  assert.ok(second.isUsable);
});

test('calls that come together open one connection', async (t) => {
  const { channel, servers } = await startChannel(t, 'pick_first');
  const connections = await Promise.all(Array.from({ length: 10 }, () => channel.acquire(signal())));
  assert.equal(new Set(connections).size, 1);
  assert.equal(servers[0].sessions.length, 1);
});

test('a name is looked up again after a connection failed, so that a moved server is found', async (t) => {
  const { channel, ports, servers, lookUps } = await startChannel(t, 'pick_first');
  const moved = ports.splice(1).length;
  assert.equal(moved, 2);
  await assert.rejects(channel.acquire(signal()), /ECONNREFUSED/);
  ports.push(servers[1].port);
  // The second call may still go by the old answer while the new one is on its way.
  await channel.acquire(signal()).catch(() => undefined);
  assert.ok((await channel.acquire(signal())).isUsable);
  assert.equal(servers[1].sessions.length, 1);
  assert.ok(lookUps() >= 2);
});

test('nothing is acquired after the end', async (t) => {
  const { channel } = await startChannel(t, 'round_robin');
  const connection = await channel.acquire(signal());
  channel.close();
  assert.equal(connection.isUsable, false);
  await assert.rejects(channel.acquire(signal()), /closed/);
});
