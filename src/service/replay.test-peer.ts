/** What tests of replays share: archives of requests whose spans are known, and the command in this process. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { protoToJson } from '../otlp/proto-to-json.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { systemClock } from '../stdx/clock.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../testkit/ledger-client.ts';
import { runReplayCommand } from './replay-command.ts';

export function tempFolder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-replay-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Requests `first` to `first + count - 1` of producer 1, back to back. */
export function spansOf(first: number, count: number, paddingBytes = 100): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => ledgerRequest(1, first + index, paddingBytes)),
  );
}

export function asJson(proto: Uint8Array): Buffer {
  return Buffer.from(protoToJson('traces', new Uint8Array(proto)));
}

export function putFile(root: string, key: string, bytes: Uint8Array): void {
  mkdirSync(dirname(join(root, key)), { recursive: true });
  writeFileSync(join(root, key), bytes);
}

/** @returns how many spans are in the archive: `hours` folders with `objects` objects of `requests` requests. */
export function putArchive(
  root: string,
  { hours = 2, objects = 3, requests = 5 }: { hours?: number; objects?: number; requests?: number } = {},
): number {
  let next = 0;
  for (let hour = 0; hour < hours; hour++) {
    for (let object = 0; object < objects; object++) {
      const folder = `prod/year=2026/month=03/day=01/hour=${String(hour).padStart(2, '0')}/minute=00`;
      putFile(root, `${folder}/traces_${100 + object}.binpb.gz`, gzipSync(spansOf(next, requests)));
      next += requests;
    }
  }
  return next * SPANS_PER_REQUEST;
}

export interface ReplayResult {
  code: number;
  out: string;
  errors: string;
}

export class ReplayCall {
  readonly result: Promise<ReplayResult>;
  #stop: () => void = () => undefined;

  constructor(...argv: string[]) {
    this.result = this.#run(argv);
  }

  async #run(argv: string[]): Promise<ReplayResult> {
    let out = '';
    let errors = '';
    const code = await runReplayCommand({
      ...{ argv, registry: BUILTIN, clock: systemClock },
      writeOut: (text) => {
        out += text;
      },
      writeError: (text) => {
        errors += text;
      },
      onSignal: (onStop) => {
        this.#stop = () => onStop('SIGINT');
      },
    });
    return { code, out, errors };
  }

  stop(): void {
    this.#stop();
  }
}

export function replay(...argv: string[]): Promise<ReplayResult> {
  return new ReplayCall(...argv).result;
}

/** Configuration whose exporter `file` writes there, in batches of so many items. */
export function fileTarget(directory: string, sink: string, batchItems = 8192): string {
  const path = join(directory, 'target.yaml');
  const exporter = {
    path: sink,
    format: 'proto',
    append: true,
    sending_queue: { batch: { min_size: batchItems, max_size: batchItems } },
  };
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:0' } } } },
    exporters: { file: exporter },
    service: { pipelines: { traces: { receivers: ['otlp'], exporters: ['file'] } } },
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}
