/**
 * Static membership (KIP-345): a member that the group knows by a name of the user's, so that it has its partitions again
 * when it comes back within the session timeout, and nobody else gets them meanwhile. The client's requests have a field
 * for the name, its consumer does not fill it; only the request to join needs it.
 */
import type { Kafka } from './client.ts';

/** Reaches into the client: kafkajs 2.2.4, which docs of its own do not promise. */
interface Broker {
  joinGroup(request: object): Promise<unknown>;
  leaveGroup(request: object): Promise<unknown>;
  lookupRequest(apiKey: number, versions: unknown): (fields: object) => unknown;
}

interface Cluster {
  brokerPool: { createBroker(options: object): Broker };
}

const CREATE_CLUSTER = 'private:Kafka:createCluster';

/**
 * Makes every consumer of this client join its group as `instanceId`, and never say that it leaves: the group waits for
 * it until the session timeout.
 *
 * @throws TypeError when the client is not built as expected.
 */
export function joinAsInstance(kafka: Kafka, instanceId: string): void {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === CREATE_CLUSTER,
  );
  if (symbol === undefined) throw new TypeError('the Kafka client has no place for static membership');
  const client = kafka as unknown as Record<symbol, (options: object) => Cluster>;
  const createCluster = client[symbol]!;
  client[symbol] = (options) => {
    const cluster = createCluster(options);
    const { createBroker } = cluster.brokerPool;
    cluster.brokerPool.createBroker = (brokerOptions) => named(createBroker(brokerOptions), instanceId);
    return cluster;
  };
}

function named(broker: Broker, groupInstanceId: string): Broker {
  const { joinGroup } = broker;
  broker.joinGroup = (request) => {
    const { lookupRequest } = broker;
    // It looks the request up before its first wait, so that this is over when it returns.
    broker.lookupRequest = (apiKey, versions) => {
      const make = lookupRequest(apiKey, versions);
      return (fields) => make({ ...fields, groupInstanceId });
    };
    try {
      return joinGroup.call(broker, request);
    } finally {
      broker.lookupRequest = lookupRequest;
    }
  };
  broker.leaveGroup = async () => ({});
  return broker;
}
