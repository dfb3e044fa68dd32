/** docs/reliability.md names tests by file and title: each has to be there, as the source writes it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { CHECKOUT } from './source-tree.ts';

const text = readFileSync(join(CHECKOUT, 'docs', 'reliability.md'), 'utf8');
const rows = text.split('\n').filter((line) => /^\| [A-G]\d+ \|/.test(line));

/** Rows that have to be covered by tests; what is measured now and then or by night is in the table, too. */
const WANTED: Readonly<Record<string, readonly number[]>> = {
  A: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 18],
  B: [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20],
  C: Array.from({ length: 18 }, (_, i) => i + 1),
  D: Array.from({ length: 19 }, (_, i) => i + 1),
  E: Array.from({ length: 13 }, (_, i) => i + 1),
  F: [3, 5, 6, 7, 8, 9],
  G: [1, 2, 3, 4, 5, 6, 7, 11, 12],
};

test('the table has every row once', () => {
  const wanted = Object.entries(WANTED).flatMap(([letter, numbers]) => numbers.map((n) => `${letter}${n}`));
  assert.deepEqual(
    rows.map((row) => row.split(' ')[1]),
    wanted,
  );
});

test('each test that the table names is in its file', () => {
  const missing: string[] = [];
  for (const row of rows) {
    const named = [...row.matchAll(/`([\w/.-]+\.test\.ts)`: "(.*?)"(?=<br>| \|)/g)];
    const id = row.split(' ')[1]!;
    if (named.length === 0) missing.push(`${id} names no test`);
    for (const [, file, title] of named) {
      const path = join(CHECKOUT, 'src', file!);
      const source = existsSync(path) ? readFileSync(path, 'utf8').replaceAll("\\'", "'") : '';
      if (!source.includes(title!.replaceAll('\\|', '|'))) missing.push(`${id}: ${file}: ${title}`);
    }
  }
  assert.deepEqual(missing, []);
});
