/** Three real Kafka brokers that are one cluster, each in a process of its own: kill them, see who leads what. */
import { isFree, until } from '../engine-process.ts';
import { kafkaClient } from './kafka-receiver-bed.ts';
import { type KafkaBrokers, KafkaServer, PORTS_PER_NODE } from './kafka-server.ts';
import { createTopic, listOffsets, type PartitionPlace, topicPlaces } from './kafka-wire.ts';

const NODES = 3;
const PORTS = NODES * PORTS_PER_NODE;
/** Below those that the system gives to outgoing connections: one of a killed broker must still be free when it is back. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const STATE_MS = 40_000;

export class KafkaCluster implements KafkaBrokers {
  readonly bootstrap: string;
  /** By number of the node, less one. */
  readonly #nodes: readonly KafkaServer[];
  readonly #isDown = new Set<number>();

  private constructor(nodes: readonly KafkaServer[]) {
    this.#nodes = nodes;
    this.bootstrap = nodes.map(({ bootstrap }) => bootstrap).join(',');
  }

  /** @param properties settings of every broker. @throws Error with a broker's output when it does not start. */
  static async start(properties: Record<string, string> = {}): Promise<KafkaCluster> {
    const clusterPort = await freePortRow();
    const numbers = Array.from({ length: NODES }, (_, index) => index + 1);
    // At the same time: none of them serves before most of them are there.
    const started = await Promise.allSettled(
      numbers.map((number) => KafkaServer.start({ properties, node: { number, clusterPort } })),
    );
    const nodes = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failures = started.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    if (failures.length === 0) return new KafkaCluster(nodes);
    await Promise.all(nodes.map((node) => node.stop()));
    throw new Error(failures.map((error) => (error as Error).message).join('\n'));
  }

  /** @param number of the node, from 1. */
  node(number: number): KafkaServer {
    return this.#nodes[number - 1]!;
  }

  async kill(number: number): Promise<void> {
    this.#isDown.add(number);
    await this.node(number).kill();
  }

  async startAgain(number: number): Promise<void> {
    await this.node(number).startProcess();
    this.#isDown.delete(number);
  }

  /** It does not answer, but its connections stay, until `resume`. */
  pause(number: number): void {
    this.#isDown.add(number);
    this.node(number).pause();
  }

  resume(number: number): void {
    this.node(number).resume();
    this.#isDown.delete(number);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }

  /** With a replica on every node. Returns when all of them have it. */
  async createTopic(topic: string, partitions: number, settings: Record<string, string> = {}): Promise<void> {
    await createTopic(this.#port(), topic, partitions, settings, NODES);
    await this.untilInSync(topic);
  }

  /**
   * Makes the next node the one that every partition wants as its leader, which all of them get while everybody lives;
   * needs `leader.imbalance.check.interval.seconds` to be short.
   */
  async moveLeaders(topic: string): Promise<void> {
    const before = await this.places(topic);
    const admin = (await kafkaClient(this)).admin();
    await admin.connect();
    try {
      const partitionAssignment = before.map(({ partition, leader }) => ({
        partition,
        replicas: [leader, leader + 1, leader + 2].map((node) => (node % NODES) + 1),
      }));
      await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    } finally {
      await admin.disconnect();
    }
    await this.#untilPlaces(
      `other leaders of ${topic}`,
      topic,
      ({ partition, leader }) => leader >= 1 && leader !== before[partition]!.leader,
    );
  }

  /** By partition, as a node that is there knows it. */
  async places(topic: string): Promise<PartitionPlace[]> {
    return topicPlaces(this.#port(), topic);
  }

  /** Every partition has a leader among the nodes that are there. */
  async untilLed(topic: string): Promise<PartitionPlace[]> {
    return this.#untilPlaces(
      `leaders of ${topic}`,
      topic,
      ({ leader }) => leader >= 1 && !this.#isDown.has(leader),
    );
  }

  /** Every partition has a leader and all replicas, also in the eyes of a node that has slept through what happened. */
  async untilInSync(topic: string): Promise<void> {
    const isWhole = ({ leader, inSync }: PartitionPlace) => leader >= 1 && inSync.length === NODES;
    await this.#untilPlaces(`all replicas of ${topic}`, topic, isWhole);
  }

  /** Waits for leaders that were chosen a moment ago: they do not say yet where their partition ends. */
  async endOffsets(topic: string, partitions: number): Promise<number[]> {
    let ends: number[] = [];
    await until(`the ends of ${topic}`, async () => {
      const places = (await this.places(topic)).slice(0, partitions);
      const settled = await Promise.allSettled(
        places.map(({ partition, leader }) =>
          listOffsets(this.node(leader).port, topic, [partition], 'latest'),
        ),
      );
      ends = settled.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
      return ends.length === partitions;
    });
    return ends;
  }

  #port(): number {
    return this.#ports()[0]!;
  }

  /** Of the nodes that are there. */
  #ports(): number[] {
    return this.#nodes.filter((_, at) => !this.#isDown.has(at + 1)).map(({ port }) => port);
  }

  async #untilPlaces(
    what: string,
    topic: string,
    isSo: (place: PartitionPlace) => boolean,
  ): Promise<PartitionPlace[]> {
    let places: PartitionPlace[] = [];
    const leadersIn = (view: readonly PartitionPlace[]) => view.map(({ leader }) => leader).join();
    const look = async (): Promise<boolean> => {
      const views = await Promise.all(this.#ports().map((port) => topicPlaces(port, topic).catch(() => [])));
      places = views[0]!;
      return views.every(
        (view) => view.length > 0 && view.every(isSo) && leadersIn(view) === leadersIn(places),
      );
    };
    await until(what, look, STATE_MS);
    return places;
  }
}

/** @returns the first of as many ports as the cluster needs. */
async function freePortRow(): Promise<number> {
  for (;;) {
    const first = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    const row = Array.from({ length: PORTS }, (_, index) => isFree(first + index));
    if ((await Promise.all(row)).every(Boolean)) return first;
  }
}
