import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PartitionFolders, partitionIssue } from './partition-folders.ts';

const at = (text: string): number => Date.parse(text);

function spanOf(format: string, moment: string, timeZone = 'UTC'): [string, string, number] {
  const folders = new PartitionFolders(format, timeZone);
  const { fromMs, toMs } = folders.span(at(moment));
  return [new Date(fromMs).toISOString(), new Date(toMs).toISOString(), folders.depth];
}

test('a manifest is for the deepest folder that lasts an hour or longer', () => {
  const cases: [string, string, string, number][] = [
    ['year=%Y/month=%m/day=%d/hour=%H/minute=%M', '2026-03-21T10:00', '2026-03-21T11:00', 1],
    ['year=%Y/month=%m/day=%d/hour=%H', '2026-03-21T10:00', '2026-03-21T11:00', 0],
    ['dt=%F/%H/', '2026-03-21T10:00', '2026-03-21T11:00', 0],
    ['dt=%F', '2026-03-21T00:00', '2026-03-22T00:00', 0],
    ['%Y/%m/%d/%T', '2026-03-21T00:00', '2026-03-22T00:00', 1],
    ['%D/%H', '2026-03-21T10:00', '2026-03-21T11:00', 0],
    ['%I%p/%F', '2026-03-21T10:00', '2026-03-21T11:00', 0],
    ['%Y/%m', '2026-03-01T00:00', '2026-04-01T00:00', 0],
    ['%G-%V/%H%M', '2026-03-16T00:00', '2026-03-23T00:00', 1],
    ['%Y', '2026-01-01T00:00', '2027-01-01T00:00', 0],
    ['%Y%m%d%H%M', '2026-03-21T10:59', '2026-03-21T11:00', 0],
    ['%Y%m%d%H%M/%S', '2026-03-21T10:59', '2026-03-21T11:00', 1],
  ];
  for (const [format, from, to, depth] of cases) {
    assert.equal(partitionIssue(format), undefined, format);
    const expected = [`${from}:00.000Z`, `${to}:00.000Z`, depth];
    assert.deepEqual(spanOf(format, '2026-03-21T10:59:59.999Z'), expected, format);
  }
});

test('hours of zones that are half an hour off, and the hour that comes twice in autumn', () => {
  const format = '%F/%H';
  assert.deepEqual(spanOf(format, '2026-03-21T10:40:00Z', 'Asia/Kolkata').slice(0, 2), [
    '2026-03-21T10:30:00.000Z',
    '2026-03-21T11:30:00.000Z',
  ]);
  assert.deepEqual(spanOf(format, '2026-10-25T01:10:00Z', 'Europe/Berlin').slice(0, 2), [
    '2026-10-25T00:00:00.000Z',
    '2026-10-25T02:00:00.000Z',
  ]);
});

test('folders that are never over, come again or last seconds cannot have a manifest', () => {
  for (const format of [
    '',
    'archive',
    '%H',
    '%d/%H',
    '%m/%d',
    'hour=%I/%M',
    '%A/%Y',
    '%s',
    '%Y%m%d%H%M%S',
    '%f',
  ])
    assert.match(partitionIssue(format) ?? format, /must begin with folders that end/);
  assert.match(partitionIssue('%Y/../%m') ?? '', /must not have folders/);
});
