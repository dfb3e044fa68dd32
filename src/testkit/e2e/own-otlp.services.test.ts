/** The engine's own metrics and spans arrive at a Go Collector, by both protocols. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePorts } from '../engine-process.ts';
import { sendOwnTelemetry } from '../own-otlp.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';

for (const protocol of ['http/protobuf', 'grpc'] as const) {
  test(`own metrics and spans by ${protocol}`, { timeout: 900_000 }, async (t) => {
    const programs = await installPrograms();
    const path = mkdtempSync(join(tmpdir(), 'millrace-own-otlp-'));
    t.after(() => rmSync(path, { recursive: true, force: true }));
    const ports = await freePorts();
    const file = join(path, 'out.json');
    const pipeline = { receivers: ['otlp'], exporters: ['file'] };
    const collector = await CollectorProcess.start(programs, {
      receivers: {
        otlp: {
          protocols: {
            http: { endpoint: `127.0.0.1:${ports.http}` },
            grpc: { endpoint: `127.0.0.1:${ports.grpc}` },
          },
        },
      },
      exporters: { file: { path: file } },
      service: {
        telemetry: {
          metrics: {
            readers: [{ pull: { exporter: { prometheus: { host: '127.0.0.1', port: ports.metrics } } } }],
          },
        },
        pipelines: { traces: pipeline, metrics: pipeline },
      },
    });
    t.after(() => collector.stop());
    const port = protocol === 'grpc' ? ports.grpc : ports.http;
    const target = { protocol, endpoint: `http://127.0.0.1:${port}` };
    await sendOwnTelemetry(await freePorts(), join(path, 'sender'), target, file);
  });
}
