/** Helpers of the tests, and the other thread or process that writes to the same path. */
import { readFile } from 'node:fs/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter } from '../../component/exporter.ts';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { jsonToProto } from '../../otlp/json-to-proto.ts';
import { systemClock } from '../../stdx/clock.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { fileConfigSchema } from './config.ts';
import { fileExporterFactory } from './factory.ts';

export interface PeerData {
  config: object;
  writer: string;
  batches: number;
  /** Log records of a batch, and characters of each. */
  records: number;
  bodyChars: number;
}

export const quietLogger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quietLogger };

export const testSettings: ComponentSettings = {
  id: 'file/test',
  logger: quietLogger,
  clock: systemClock,
  meter: {
    counter: () => ({ add() {} }),
    gauge: () => ({ set() {} }),
    latency: () => ({ record() {} }),
    histogram: () => ({ record() {} }),
  },
};

export async function createExporter(
  raw: object,
  signal: Signal = 'logs',
  settings = testSettings,
): Promise<Exporter> {
  const { value, issues } = fileConfigSchema.parse(raw);
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return fileExporterFactory.create(settings, value, signal);
}

export function batchOf(signal: Signal, slices: readonly Uint8Array[]): ExportBatch {
  const sizeBytes = slices.reduce((sum, slice) => sum + slice.length, 0);
  return { signal, batchId: 'b', slices, itemCount: 1, sizeBytes, receivedUnixMs: 0 };
}

/** One request of log records whose bodies are `<writer>-<batch>-<record>` and a filling. */
export function logRequest(writer: string, batch: number, records = 1, bodyChars = 0): Uint8Array {
  const logRecords = Array.from({ length: records }, (_, record) => ({
    body: { string_value: `${writer}-${batch}-${record}`.padEnd(bodyChars, '.') },
  }));
  const type = requestType('logs');
  return type
    .encode(type.fromObject({ resource_logs: [{ scope_logs: [{ log_records: logRecords }] }] }))
    .finish();
}

/** Bodies of a decoded request, without their filling. */
export function bodiesOf(proto: Uint8Array): string[] {
  const type = requestType('logs');
  const decoded = type.toObject(type.decode(proto)) as {
    resource_logs: { scope_logs: { log_records: { body: { string_value: string } }[] }[] }[];
  };
  return decoded.resource_logs.flatMap((resource) =>
    resource.scope_logs.flatMap((scope) =>
      scope.log_records.map((record) => record.body.string_value.replace(/\.*$/, '')),
    ),
  );
}

/** Every line of a file read as OTLP JSON; throws when one is not. */
export async function bodiesOfLines(path: string): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).split('\n');
  if (lines.pop() !== '') throw new Error(`${path} does not end with a line`);
  return lines.flatMap((line) => bodiesOf(jsonToProto('logs', Buffer.from(line))));
}

/** Messages of a file of length-prefixed messages; throws when the lengths do not end at its end. */
export async function readFrames(path: string): Promise<Buffer[]> {
  const bytes = await readFile(path);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new Error(`${path} ends in the middle of a message`);
    frames.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return frames;
}

/** Writes every batch until it is delivered, as the engine would. @returns batches that had to be sent again. */
async function writeAll(data: PeerData): Promise<{ retries: number; errors: string[] }> {
  const exporter = await createExporter(data.config);
  await exporter.start();
  const never = new AbortController().signal;
  const errors: string[] = [];
  for (let batch = 0; batch < data.batches; batch++) {
    try {
      const request = logRequest(data.writer, batch, data.records, data.bodyChars);
      await exporter.export(batchOf('logs', [request]), never);
    } catch (error) {
      if (!(error instanceof PipelineError) || error.permanent) throw error;
      errors.push(error.message);
    }
  }
  await exporter.shutdown(0);
  return { retries: errors.length, errors };
}

if (!isMainThread && workerData?.config !== undefined) {
  parentPort!.postMessage(await writeAll(workerData as PeerData));
} else if (process.argv[2] === 'write-as-process') {
  const result = await writeAll(JSON.parse(process.argv[3]!) as PeerData);
  process.stdout.write(JSON.stringify(result));
}
