import assert from 'node:assert/strict';
import test from 'node:test';
import { ShiftedClock, startHttpBed } from './bed.test-peer.ts';
import { RawGrpcClient, startGrpcBed } from './grpc-bed.test-peer.ts';
import { eventually, post, RawClient } from './http-client.test-peer.ts';
import { isUploadTooSlow } from './limits.ts';

test('an upload has five seconds, then it must have brought a kilobyte for every further one', () => {
  assert.equal(isUploadTooSlow(0, 4999), false);
  assert.equal(isUploadTooSlow(0, 5001), true);
  assert.equal(isUploadTooSlow(10_240, 15_000), false);
  assert.equal(isUploadTooSlow(10_239, 15_000), true);
});

test('HTTP: a body that trickles is refused retryably and closed, a quick one beside it is served (D2)', async (t) => {
  const clock = new ShiftedClock();
  const bed = await startHttpBed('node', { clock });
  t.after(() => bed.stop());
  const slow = await RawClient.open(bed.port);
  const head =
    'POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 99\r\n\r\n';
  slow.socket.write(`${head}abc`);
  await eventually('the body has begun', () => bed.admission.memory.usedBytes > 0);
  clock.shiftMs = 6000;
  await eventually('it is answered', () => slow.text.includes('\r\n\r\n'));
  assert.match(slow.text, /^HTTP\/1\.1 503/);
  assert.match(slow.text, /connection: close/i);
  assert.equal((await post(bed.port)).status, 200);
  assert.equal(bed.admission.openExchanges, 0);
  assert.equal(bed.admission.memory.usedBytes, 0);
  assert.equal(
    bed.meter.value('millrace_receiver_refused_requests{receiver=otlp,transport=http,reason=deadline}'),
    1,
  );
});

test('gRPC: a message that trickles is refused retryably (D2)', async (t) => {
  const clock = new ShiftedClock();
  const bed = await startGrpcBed({ clock });
  t.after(() => bed.stop());
  const client = new RawGrpcClient(bed.port);
  t.after(() => client.close());
  const reply = client.call([Buffer.from([0, 0, 0, 0, 99, 1, 2, 3]), Buffer.alloc(96)], {}, 1500);
  await eventually('the message has begun', () => bed.admission.memory.usedBytes > 0);
  clock.shiftMs = 6000;
  assert.equal((await reply).status, 14);
  assert.equal(bed.consumer.taken.length, 0);
});

test('connections of one address are bounded, the others of it go on (D3)', async (t) => {
  const http = await startHttpBed('node', { server: { connectionsPerAddressMax: 3 } });
  const grpc = await startGrpcBed({ server: { connectionsPerAddressMax: 3 } });
  t.after(() => http.stop());
  t.after(() => grpc.stop());
  for (const [bed, transport] of [
    [http, 'http'],
    [grpc, 'grpc'],
  ] as const) {
    const clients: RawClient[] = [];
    for (let i = 0; i < 6; i++) clients.push(await RawClient.open(bed.port));
    t.after(() => {
      for (const client of clients) client.close();
    });
    await eventually('three are closed', () => clients.filter(({ isClosed }) => isClosed).length === 3);
    const series = `millrace_receiver_refused_connections{receiver=otlp,transport=${transport},reason=address_limit}`;
    assert.equal(bed.meter.value(series), 3);
    const open = clients.find(({ isClosed }) => !isClosed)!;
    open.close();
    await eventually('its place is free', () => open.isClosed);
  }
  const response = await post(http.port);
  assert.equal(response.status, 200);
  assert.equal((await grpc.client.export(Buffer.from('x'))).code, 0);
});
