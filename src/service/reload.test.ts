import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { RecordingLogger } from '../exporters/helper/delivery.test-peer.ts';
import { afterwards } from '../testkit/e2e/storage.test-peer.ts';
import { until } from '../testkit/engine-process.ts';
import { Reloader, type ReloadTarget } from './reload.ts';
import { configFiles, FileWatch } from './reload-watch.ts';

/** Only compared, never read. */
function planOf(id: string): CollectorPlan {
  return { receivers: [{ id, type: 'otlp', config: {} }], warnings: [id] } as unknown as CollectorPlan;
}

class Target implements ReloadTarget {
  readonly plans: string[] = [];
  readonly outcomes: string[] = [];
  release: (() => void) | undefined;

  async reload(plan: CollectorPlan): Promise<void> {
    this.plans.push(plan.receivers[0]!.id);
    await new Promise<void>((resolve) => {
      this.release = resolve;
    });
    if (plan.receivers[0]!.id === 'bad') throw new Error('cannot start');
  }

  reloaded(outcome: string): void {
    this.outcomes.push(outcome);
  }
}

test('requests during a reload become one more; what failed is not what runs', async () => {
  const target = new Target();
  const reads = ['a', 'b', undefined, 'bad', 'b', 'c'];
  const reloader = new Reloader({
    plan: planOf('a'),
    target,
    logger: new RecordingLogger(),
    read: () => {
      const id = reads.shift();
      return id === undefined ? undefined : planOf(id);
    },
  });
  const settled = (count: number) => until(`outcome ${count}`, () => target.outcomes.length === count);
  const begun = (count: number) => until(`reload ${count}`, () => target.plans.length === count);
  reloader.request('1');
  await settled(1);
  reloader.request('2');
  for (const reason of ['3', '4', '5']) reloader.request(reason);
  await begun(1);
  assert.deepEqual(target.plans, ['b'], 'one at a time');
  target.release!();
  await settled(3);
  assert.equal(reads.length, 3, 'three requests became one');
  reloader.request('6');
  await begun(2);
  target.release!();
  await settled(4);
  // The old one runs still, so the same plan again is no change.
  reloader.request('7');
  await settled(5);
  assert.deepEqual(target.outcomes, ['unchanged', 'success', 'failed', 'failed', 'unchanged']);
  assert.deepEqual(target.plans, ['b', 'bad']);
  reloader.close();
  reloader.request('8');
  assert.equal(reads.length, 1, 'nothing is read behind the close');
});

test('a watched file is told once it stays changed, through links that are swapped too', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-watch-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  const path = (name: string) => join(directory, name);
  writeFileSync(path('v1'), 'one');
  writeFileSync(path('v2'), 'two');
  symlinkSync('v1', path('config.yaml'));
  let changes = 0;
  let referenced: string[] = [];
  const onChange = () => {
    changes += 1;
  };
  const watch = new FileWatch([path('config.yaml')], onChange, () => referenced, 20);
  afterwards(t, () => watch.close());
  const looks = () => new Promise((resolve) => setTimeout(resolve, 150));
  await looks();
  writeFileSync(path('v1'), 'one');
  await looks();
  assert.equal(changes, 0, 'written, but the same');
  symlinkSync('v2', path('next'));
  renameSync(path('next'), path('config.yaml'));
  await until('the swapped link', () => changes === 1);
  rmSync(path('v2'));
  await looks();
  assert.equal(changes, 1, 'a file that is away is no configuration');
  writeFileSync(path('v2'), 'three');
  await until('the file that is back', () => changes === 2);
  await looks();
  assert.equal(changes, 2);
  writeFileSync(path('token'), 'secret');
  referenced = [path('token')];
  await looks();
  assert.equal(changes, 2, 'what the configuration names was read with it');
  writeFileSync(path('token'), 'another');
  await until('the file that is named', () => changes === 3);
  rmSync(path('token'));
  await until('the named file that is away', () => changes === 4);
});

test('only files are watched', () => {
  const configs = ['a.yaml', 'file:/etc/b.yaml', 'env:CONFIG', 'yaml:a: b', '/c.yaml', 'C:\\d.yaml'];
  assert.deepEqual(configFiles(configs), ['a.yaml', '/etc/b.yaml', '/c.yaml', 'C:\\d.yaml']);
});
