import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../stdx/prng.ts';
import {
  assignPartitions,
  type GroupAssignment,
  type GroupMember,
  REBALANCE_STRATEGIES,
} from './consumer-assign.ts';
import { NO_GENERATION } from './consumer-protocol.ts';

function member(
  memberId: string,
  topics: string[],
  owned: [string, number[]][] = [],
  generation = 1,
): GroupMember {
  return { memberId, topics, owned: new Map(owned), generation };
}

function plain(assignment: GroupAssignment): Record<string, Record<string, number[]>> {
  return Object.fromEntries([...assignment].map(([id, owned]) => [id, Object.fromEntries(owned)]));
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

test('range gives each subscriber a run of neighbours of each topic', () => {
  const members = [member('b', ['x', 'y']), member('a', ['x', 'y']), member('c', ['y'])];
  const assignment = assignPartitions(
    'range',
    members,
    new Map([
      ['x', numbers(5)],
      ['y', numbers(3)],
    ]),
  );
  assert.deepEqual(plain(assignment), {
    a: { x: [0, 1, 2], y: [0] },
    b: { x: [3, 4], y: [1] },
    c: { y: [2] },
  });
});

test('roundrobin goes around over all topics and steps over who has not subscribed', () => {
  const members = [member('a', ['x']), member('b', ['x', 'y'])];
  const assignment = assignPartitions(
    'roundrobin',
    members,
    new Map([
      ['y', numbers(2)],
      ['x', numbers(3)],
    ]),
  );
  assert.deepEqual(plain(assignment), { a: { x: [0, 2] }, b: { x: [1], y: [0, 1] } });
});

test('sticky moves no more than it has to', () => {
  const partitions = new Map([['x', numbers(6)]]);
  const old = [member('a', ['x'], [['x', [0, 1, 2]]]), member('b', ['x'], [['x', [3, 4, 5]]])];
  assert.deepEqual(
    plain(assignPartitions('sticky', [...old, member('c', ['x'], [], NO_GENERATION)], partitions)),
    {
      a: { x: [0, 1] },
      b: { x: [3, 4] },
      c: { x: [2, 5] },
    },
  );
  assert.deepEqual(plain(assignPartitions('sticky', [old[0]!], partitions)), { a: { x: numbers(6) } });
});

test('sticky believes the later generation of two that say they had a partition', () => {
  const members = [
    member('a', ['x'], [['x', [0, 1]]], 4),
    member('b', ['x'], [['x', [0, 1]]], 5),
    member('gone', ['y'], [['x', [0]]], 9),
  ];
  const assignment = plain(assignPartitions('sticky', members, new Map([['x', numbers(2)]])));
  assert.equal(Object.values(assignment).flatMap((owned) => owned.x ?? []).length, 2);
  assert.deepEqual(assignment.gone, {});
  assert.equal(assignment.b?.x?.length, 1);
});

test('whatever the members, every partition that somebody reads has one owner, and shares are even', () => {
  const prng = new Prng(11);
  for (let round = 0; round < 200; round++) {
    const topics = numbers(1 + prng.nextInt(4)).map((index) => `t${index}`);
    const partitions = new Map(topics.map((topic) => [topic, numbers(1 + prng.nextInt(9))] as const));
    const isSame = prng.nextInt(2) === 0;
    const members = numbers(1 + prng.nextInt(6)).map((index) =>
      member(
        `m${index}`,
        isSame ? topics : topics.filter(() => prng.nextInt(2) === 0),
        topics.map((topic) => [topic, numbers(9).filter(() => prng.nextInt(3) === 0)]),
        prng.nextInt(3),
      ),
    );
    for (const strategy of REBALANCE_STRATEGIES) {
      const assignment = assignPartitions(strategy, members, partitions);
      const owners = new Map<string, string>();
      for (const [id, owned] of assignment)
        for (const [topic, all] of owned)
          for (const partition of all) {
            const name = `${topic} ${partition}`;
            assert.ok(members.find(({ memberId }) => memberId === id)!.topics.includes(topic));
            assert.equal(owners.get(name), undefined, `${strategy}: ${name} twice`);
            owners.set(name, id);
          }
      const read = topics.filter((topic) => members.some((each) => each.topics.includes(topic)));
      assert.equal(
        owners.size,
        read.reduce((sum, topic) => sum + partitions.get(topic)!.length, 0),
        strategy,
      );
      const sizes = members.map(
        ({ memberId }) => [...owners.values()].filter((owner) => owner === memberId).length,
      );
      if (isSame && strategy !== 'range') assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, strategy);
    }
  }
});
