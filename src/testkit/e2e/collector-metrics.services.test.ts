/** The recorded description of the Collector's own metrics is what a running Collector prints. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseScrape } from '../../top/exposition.ts';
import { freePort, until } from '../engine-process.ts';
import { CollectorProcess, installPrograms, runTelemetrygen } from '../services/programs.ts';
import { CHECKOUT } from '../source-tree.ts';

const RECORDED: Readonly<Record<string, { type: string; level: string; labels: string[] }>> = JSON.parse(
  readFileSync(join(CHECKOUT, 'src/telemetry/testdata/collector-0.158-metrics.json'), 'utf8'),
);
/** The build of the Collector for the tests has no processors. */
const NOT_IN_BUILD = /^otelcol_processor_/;

async function scrapeCollector(level: string): Promise<string> {
  const programs = await installPrograms();
  const [grpc, port, dead] = [await freePort(), await freePort(), await freePort()];
  const reader = { pull: { exporter: { prometheus: { host: '127.0.0.1', port } } } };
  const exporter = {
    endpoint: `127.0.0.1:${dead}`,
    tls: { insecure: true },
    retry_on_failure: { enabled: false },
  };
  const collector = await CollectorProcess.start(programs, {
    receivers: { otlp: { protocols: { grpc: { endpoint: `127.0.0.1:${grpc}` } } } },
    exporters: { otlp_grpc: exporter, otlp_http: { ...exporter, endpoint: `http://127.0.0.1:${dead}` } },
    service: {
      telemetry: { metrics: { level, readers: [reader] } },
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_grpc', 'otlp_http'] } },
    },
  });
  try {
    const load = ['--otlp-endpoint', `127.0.0.1:${grpc}`, '--traces', '5'];
    await runTelemetrygen(programs, ['traces', ...load]);
    let text = '';
    await until('the failures of the exporters on the scrape', async () => {
      text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return text.includes('otelcol_exporter_send_failed_spans{');
    });
    return text;
  } finally {
    await collector.stop();
  }
}

for (const level of ['basic', 'normal', 'detailed']) {
  test(`level ${level}: names, types and labels are the recorded ones`, { timeout: 600_000 }, async () => {
    const text = await scrapeCollector(level);
    const scrape = parseScrape(text);
    const shown = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => ({
      name: name!,
      type,
    }));
    assert.ok(shown.length >= 10, text);
    for (const { name, type } of shown) {
      const recorded = RECORDED[name];
      assert.ok(recorded !== undefined, `${name} was not recorded`);
      assert.equal(recorded.type, type, name);
      const samples = scrape.get(name) ?? scrape.get(`${name}_count`) ?? [];
      const labels = new Set(samples.flatMap((sample) => [...sample.labels.keys()]));
      for (const label of labels) assert.ok(recorded.labels.includes(label), `label ${label} of ${name}`);
    }
    const always = ['otelcol_process_uptime', 'otelcol_exporter_queue_size', 'target_info'];
    const names = new Set(shown.map(({ name }) => name));
    for (const name of always) assert.ok(names.has(name), name);
    const ranks = ['basic', 'normal', 'detailed'];
    for (const name of names) {
      assert.ok(ranks.indexOf(RECORDED[name]!.level) <= ranks.indexOf(level), `${name} at level ${level}`);
    }
    assert.ok(
      ![...names].some((name) => NOT_IN_BUILD.test(name)),
      'the build has processors: load them here',
    );
  });
}
