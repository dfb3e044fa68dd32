/**
 * The OpenTelemetry SDK for JavaScript sends all three signals in every wire format it has, plain and compressed;
 * the rows in ClickHouse are compared column by column with what the SDK was told.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { freePorts } from '../engine-process.ts';
import { assertSameRows, METRIC_TABLES, missingStore, StoredEngine } from '../services/stored-engine.ts';
import { sendLogs } from './sdk-logs.test-peer.ts';
import { sendMetrics } from './sdk-metrics.test-peer.ts';
import { sendSpans } from './sdk-traces.test-peer.ts';
import { sdkTransports } from './sdk-transports.test-peer.ts';

const ports = await freePorts();

describe('the JavaScript SDK', { skip: missingStore(), timeout: 120_000 }, () => {
  let engine: StoredEngine;
  before(async () => {
    engine = await StoredEngine.start({ ports });
  });
  after(() => engine?.stop());

  for (const transport of sdkTransports(ports)) {
    test(`spans over ${transport.name} become the rows that were told`, async () => {
      const expected = await sendSpans(transport.traces(), transport.name);
      const rows = await engine.rowsOnceStored('traces', transport.name, expected.length);
      assertSameRows(rows, expected, 'otel_traces');
    });

    test(`log records over ${transport.name} become the rows that were told`, async () => {
      const expected = await sendLogs(transport.logs(), transport.name);
      const rows = await engine.rowsOnceStored('logs', transport.name, expected.length);
      assertSameRows(rows, expected, 'otel_logs');
    });

    test(`metrics over ${transport.name} become the rows that were told`, async () => {
      const expected = await sendMetrics(transport.metrics(), transport.name, transport.temporality);
      for (const table of METRIC_TABLES) {
        const wanted = expected.filter((point) => point.table === table).map(({ row }) => row);
        const rows = await engine.rowsOnceStored(table, transport.name, wanted.length);
        assertSameRows(rows, wanted, table);
      }
      const tables = new Set(expected.map(({ table }) => table));
      assert.equal(
        tables.size,
        METRIC_TABLES.length - 1,
        'the SDK makes every kind of point except summaries',
      );
    });
  }
});
