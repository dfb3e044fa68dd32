import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import test from 'node:test';
import type { Logger } from '../component/settings.ts';
import { squash } from '../config/field-kinds.ts';
import { defineConfig } from '../config/schema.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { openKafkaClient } from './client.ts';
import { type KafkaClientConfig, kafkaClientShape } from './config-client.ts';

const schema = defineConfig<{ client: KafkaClientConfig }>({ client: squash(kafkaClientShape) });
const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };

/** Counts by name, outcome where there is one, and port, once they are what is expected. */
async function untilCounts(meter: ThreadMeter, expected: Record<string, number>): Promise<void> {
  let counts: Record<string, number> = {};
  for (let look = 0; look < 3000; look++) {
    const { counters } = meter.takeSnapshot();
    counts = Object.fromEntries(
      counters.map(({ name, labels, value }) => {
        const { outcome = '', server_address, server_port, receiver } = labels;
        return [`${receiver} ${name} ${outcome} ${server_address}:${server_port}`, value];
      }),
    );
    if (JSON.stringify(counts) === JSON.stringify(expected)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(counts, expected);
}

test('connections that open, close and cannot be opened are counted by the address of the broker', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    // After its first request.
    socket.once('data', () => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const meter = new ThreadMeter();
  const config = schema.parse({ brokers: [`127.0.0.1:${port}`] }).value!.client;
  const client = await openKafkaClient({ id: 'kafka', logger, meter }, config, {
    labels: { receiver: 'kafka' },
  });
  t.after(() => {
    client.close();
    server.close();
  });
  const pool = client.brokerPool({ allowsAutoTopicCreation: false });
  await assert.rejects(pool.connect());
  const name = 'kafka otelcol_kafka_broker';
  const opened = {
    [`${name}_connects success 127.0.0.1:${port}`]: 1,
    [`${name}_closed  127.0.0.1:${port}`]: 1,
  };
  await untilCounts(meter, opened);

  server.close();
  await once(server, 'close');
  await assert.rejects(pool.connect());
  await untilCounts(meter, { ...opened, [`${name}_connects failure 127.0.0.1:${port}`]: 1 });
  await pool.disconnect();
});
