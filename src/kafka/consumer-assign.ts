/** The strategies by which the leader of a consumer group deals out partitions, as Kafka's own client does it. Pure. */
import type { Subscription } from './consumer-protocol.ts';

export const REBALANCE_STRATEGIES = ['range', 'roundrobin', 'sticky'] as const;
export type RebalanceStrategy = (typeof REBALANCE_STRATEGIES)[number];

export interface GroupMember extends Subscription {
  memberId: string;
}

/** By member, then by topic. Every member is in it. */
export type GroupAssignment = Map<string, Map<string, number[]>>;

/** Partitions that exist, by topic. */
export type TopicPartitions = ReadonlyMap<string, readonly number[]>;

export function assignPartitions(
  strategy: RebalanceStrategy,
  members: readonly GroupMember[],
  partitions: TopicPartitions,
): GroupAssignment {
  // The same members must get the same whoever leads the group.
  const sorted = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const assignment: GroupAssignment = new Map(sorted.map(({ memberId }) => [memberId, new Map()]));
  if (strategy === 'range') assignRange(assignment, sorted, partitions);
  else if (strategy === 'roundrobin') assignRoundRobin(assignment, sorted, partitions);
  else new StickyShare(assignment, sorted, partitions).run();
  return assignment;
}

function give(assignment: GroupAssignment, memberId: string, topic: string, partition: number): void {
  const byTopic = assignment.get(memberId)!;
  const own = byTopic.get(topic);
  if (own === undefined) byTopic.set(topic, [partition]);
  else own.push(partition);
}

/** Of each topic every subscriber gets a run of neighbours. */
function assignRange(
  assignment: GroupAssignment,
  members: readonly GroupMember[],
  partitions: TopicPartitions,
): void {
  for (const [topic, all] of partitions) {
    const subscribers = members.filter(({ topics }) => topics.includes(topic));
    if (subscribers.length === 0) continue;
    const sorted = all.toSorted((a, b) => a - b);
    const share = Math.floor(sorted.length / subscribers.length);
    const larger = sorted.length % subscribers.length;
    let next = 0;
    for (const [index, { memberId }] of subscribers.entries()) {
      const end = next + share + (index < larger ? 1 : 0);
      for (; next < end; next++) give(assignment, memberId, topic, sorted[next]!);
    }
  }
}

/** One after the other over all topics. */
function assignRoundRobin(
  assignment: GroupAssignment,
  members: readonly GroupMember[],
  partitions: TopicPartitions,
): void {
  let turn = 0;
  for (const topic of [...partitions.keys()].sort()) {
    if (!members.some(({ topics }) => topics.includes(topic))) continue;
    for (const partition of partitions.get(topic)!.toSorted((a, b) => a - b)) {
      while (!members[turn % members.length]!.topics.includes(topic)) turn += 1;
      give(assignment, members[turn % members.length]!.memberId, topic, partition);
      turn += 1;
    }
  }
}

interface Share {
  readonly member: GroupMember;
  readonly topics: ReadonlySet<string>;
  readonly held: Set<string>;
}

/** Everybody keeps what it had, except for what has to move until no two subscribers of a topic differ by more than one. */
class StickyShare {
  readonly #assignment: GroupAssignment;
  readonly #partitions: TopicPartitions;
  readonly #shares: Share[];
  /** Of `topic partition`, which is how a share names what it holds. */
  readonly #places = new Map<string, { topic: string; partition: number }>();

  constructor(assignment: GroupAssignment, members: readonly GroupMember[], partitions: TopicPartitions) {
    this.#assignment = assignment;
    this.#partitions = partitions;
    this.#shares = members.map((member) => ({ member, topics: new Set(member.topics), held: new Set() }));
    for (const [topic, all] of partitions)
      for (const partition of all) this.#places.set(`${topic} ${partition}`, { topic, partition });
  }

  run(): void {
    this.#keepOwned();
    this.#dealOut();
    while (this.#moveOne());
    for (const { member, held } of this.#shares) {
      const places = [...held].map((name) => this.#places.get(name)!);
      places.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
      for (const { topic, partition } of places) give(this.#assignment, member.memberId, topic, partition);
    }
  }

  /** Where two say that they had it, the later generation is right; of the same one, neither can be told from the other. */
  #keepOwned(): void {
    const owners = new Map<string, Share>();
    for (const share of this.#shares) {
      for (const [topic, partitions] of share.member.owned) {
        if (!share.topics.has(topic)) continue;
        for (const partition of partitions) {
          const name = `${topic} ${partition}`;
          const other = owners.get(name);
          const isNewer = other === undefined || other.member.generation < share.member.generation;
          if (isNewer && this.#places.has(name)) owners.set(name, share);
        }
      }
    }
    for (const [name, share] of owners) share.held.add(name);
  }

  #dealOut(): void {
    const held = new Set(this.#shares.flatMap((share) => [...share.held]));
    for (const topic of [...this.#partitions.keys()].sort()) {
      const subscribers = this.#shares.filter(({ topics }) => topics.has(topic));
      if (subscribers.length === 0) continue;
      for (const partition of this.#partitions.get(topic)!.toSorted((a, b) => a - b)) {
        const name = `${topic} ${partition}`;
        if (!held.has(name)) smallest(subscribers).held.add(name);
      }
    }
  }

  /** Every move makes the shares more even, so there is a last one. */
  #moveOne(): boolean {
    const byNeed = this.#shares.toSorted((a, b) => b.held.size - a.held.size);
    for (const rich of byNeed) {
      // The last of what it holds: what was taken on most lately is the cheapest to give away.
      for (const name of [...rich.held].reverse()) {
        const { topic } = this.#places.get(name)!;
        const poor = smallest(this.#shares.filter(({ topics }) => topics.has(topic)));
        if (poor.held.size + 1 >= rich.held.size) continue;
        rich.held.delete(name);
        poor.held.add(name);
        return true;
      }
    }
    return false;
  }
}

function smallest(shares: readonly Share[]): Share {
  let best = shares[0]!;
  for (const share of shares) if (share.held.size < best.held.size) best = share;
  return best;
}
