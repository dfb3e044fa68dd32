/** Recordings of every kind, and the command as a function, for the tests of `millrace sample`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TestContext } from 'node:test';
import { protoToJson } from '../otlp/proto-to-json.ts';
import { openLogWriter } from '../queue/log/open.ts';
import { createSharedWords } from '../queue/log/shared-words.ts';
import { systemClock } from '../stdx/clock.ts';
import { RequestGenerator } from '../testkit/generators.ts';
import { runSampleCommand } from './sample-command.ts';
import type { SampleReport } from './sample-report.ts';

export const START_MS = 1_760_000_000_000;
export const SPANS = 64;
/** Every trace has eight spans in one request. */
export const TRACES = SPANS / 8;
export const STEP_MS = 100;

export const SIMPLE = `decision_wait: 2s
num_traces: 100000
policies:
  - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
  - { name: share, type: probabilistic, probabilistic: { sampling_percentage: 20 } }
`;

export function tempDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-sample-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function writeText(directory: string, name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** Requests of different traces, one every STEP_MS. */
export function recordedRequests(count: number): Uint8Array[] {
  const generator = new RequestGenerator({ signal: 'traces', itemsPerRequest: SPANS, seed: 11 });
  return Array.from({ length: count }, (_, seq) => generator.next(seq, START_MS + seq * STEP_MS));
}

export function jsonLines(requests: readonly Uint8Array[]): string {
  return requests.map((request) => `${protoToJson('traces', request)}\n`).join('');
}

/** Messages behind their lengths. */
export function protoFile(requests: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    requests.flatMap((request) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(request.length);
      return [length, request];
    }),
  );
}

/** Writes a log as an engine does; each request in a record of its own. */
export async function writeLog(
  directory: string,
  requests: readonly Uint8Array[],
  startMs = START_MS,
): Promise<void> {
  const limits = {
    budgetBytes: 2 ** 30,
    reserveBytes: 0,
    segmentBytes: 2 ** 18,
    recordBytes: 4096,
    flushTimeoutMs: 30_000,
  };
  const logId = basename(directory);
  const writer = await openLogWriter(
    {
      ...{ logId, signal: 'traces', directory, limits, flush: false, cursorNames: ['nop'] },
      shared: createSharedWords(1),
    },
    { clock: systemClock },
  );
  for (const [seq, request] of requests.entries()) {
    if (!writer.tryAppend(request, SPANS, startMs + seq * STEP_MS)) throw new Error('the log is full');
    await writer.commit();
  }
  await writer.close();
}

export interface SampleResult {
  code: number;
  out: string;
  errors: string;
}

export async function sample(...argv: string[]): Promise<SampleResult> {
  const result = { out: '', errors: '' };
  const code = await runSampleCommand({
    ...{ argv, clock: systemClock },
    writeOut: (text) => {
      result.out += text;
    },
    writeError: (text) => {
      result.errors += text;
    },
  });
  return { code, ...result };
}

/** The document of `--json` with all trace ids, without what depends on the machine. */
export async function sampleReport(...argv: string[]): Promise<Omit<SampleReport, 'seconds' | 'workers'>> {
  const { code, out, errors } = await sample('--json', '--examples', '1000', ...argv);
  if (code !== 0) throw new Error(errors);
  const { seconds: _seconds, workers: _workers, ...report } = JSON.parse(out) as SampleReport;
  return report;
}
