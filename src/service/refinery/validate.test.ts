/** The whole way: a rules file, the program's own conversion, the program's own check of the result. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { CHECKOUT, LOADED_ROOT } from '../../testkit/source-tree.ts';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const MAIN = join(LOADED_ROOT, 'src', `main${EXTENSION}`);
const RULES = join(CHECKOUT, 'src/service/refinery/testdata/rules.yaml');
const GATEWAY = `
receivers: { otlp: { protocols: { http: {} } } }
exporters: { nop: {} }
service:
  pipelines:
    traces: { receivers: [otlp], processors: [tail_sampling], exporters: [nop] }
    traces/production: { receivers: [otlp], processors: [tail_sampling/production], exporters: [nop] }
    traces/my: { receivers: [otlp], processors: [tail_sampling/my_env], exporters: [nop] }
`;

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const options = { encoding: 'utf8', timeout: 30_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', MAIN, ...args], options);
  return { code: status, out: stdout, err: stderr };
}

test('converted rules pass validate beside a configuration that uses them', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-refinery-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const gateway = join(directory, 'gateway.yaml');
  const sampling = join(directory, 'sampling.yaml');
  writeFileSync(gateway, GATEWAY);
  const converted = run('convert', 'refinery', RULES);
  assert.equal(converted.code, 0, converted.err);
  const notes = converted.err.trim().split('\n');
  assert.equal(notes.length, 5, converted.err);
  for (const note of notes)
    assert.match(note, /rules\.yaml:\d+:\d+: (?:no equivalent|different): Samplers::/);
  writeFileSync(sampling, converted.out);
  const validated = run('validate', '--config', gateway, '--config', sampling);
  assert.equal(validated.code, 0, validated.err);
  assert.doesNotMatch(validated.err, /error/);
});
