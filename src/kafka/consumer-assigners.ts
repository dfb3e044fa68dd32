/** The strategies of consumer-assign.ts as the client wants them. */
import type { Assigner, Cluster, PartitionAssigner } from 'kafkajs';
import { assignPartitions, type GroupMember, type RebalanceStrategy } from './consumer-assign.ts';
import {
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type OwnedPartitions,
} from './consumer-protocol.ts';

/** What the member has, asked for each time that it joins. */
export interface OwnedState {
  readonly owned: OwnedPartitions;
  readonly generation: number;
}

/** @param state read at every join. */
export function partitionAssigner(strategy: RebalanceStrategy, state: () => OwnedState): PartitionAssigner {
  return ({ cluster }): Assigner => ({
    name: strategy,
    version: 0,
    protocol: ({ topics }) => ({
      name: strategy,
      metadata: encodeSubscription({ topics, ...state() }, strategy === 'sticky'),
    }),
    assign: async ({ members }) => {
      const known = members.map(
        ({ memberId, memberMetadata }): GroupMember => ({ memberId, ...decodeSubscription(memberMetadata) }),
      );
      const partitions = await partitionsOf(cluster, known);
      const assignment = assignPartitions(strategy, known, partitions);
      return [...assignment].map(([memberId, owned]) => ({
        memberId,
        memberAssignment: encodeAssignment(owned),
      }));
    },
  });
}

/** Members may read other topics than the leader, which then has to learn about them. */
async function partitionsOf(
  cluster: Cluster,
  members: readonly GroupMember[],
): Promise<Map<string, number[]>> {
  const partitions = new Map<string, number[]>();
  for (const topic of new Set(members.flatMap((member) => member.topics))) {
    let known = cluster.findTopicPartitionMetadata(topic);
    if (known.length === 0) {
      // One that cannot be found is not dealt out, and the others are all the same.
      await cluster.addTargetTopic(topic).catch(() => undefined);
      known = cluster.findTopicPartitionMetadata(topic);
    }
    if (known.length === 0) continue;
    partitions.set(
      topic,
      known.map(({ partitionId }) => partitionId),
    );
  }
  return partitions;
}
