#!/usr/bin/env node
import { createLogger } from './telemetry/logger.ts';
import { loadCollectorConfig } from './config/collector-config.ts';
import { BUILTIN } from './registry/builtin.ts';
import { Service } from './service/service.ts';
import { planThreads } from './service/thread-plan.ts';
import { systemClock } from './stdx/clock.ts';
import { readdirSync, existsSync } from 'node:fs';
const arg = (n: string) => { const i = process.argv.indexOf(n); return i > 0 ? process.argv[i + 1] : undefined; };
const r = loadCollectorConfig(arg('--config')!, BUILTIN.values());
if (r.plan === undefined) { process.stderr.write(JSON.stringify(r.issues, null, 1)); process.exit(1); }
const dataDir = arg('--data-dir') ?? './millrace-data';
const limits = { budgetBytes: 8 * 2 ** 30, reserveBytes: 1 << 28, segmentBytes: 256 << 20, recordBytes: Number(process.env['REC'] ?? 512) << 10, flushTimeoutMs: 30000 };
const threads = planThreads(r.plan, BUILTIN, { dataDir, isDurable: true, pipelineWorkers: 1, exporterWorkers: 1, limits, listNames: (d) => existsSync(d) ? readdirSync(d) : [] });
const loggerOptions = { level: 'info', encoding: 'console' } as const;
const logger = createLogger(loggerOptions, systemClock);
const service = new Service({ plan: r.plan, threads, registry: BUILTIN, dataDir, isDurable: true, clock: systemClock, logger, loggerOptions, failpoints: process.env['MILLRACE_FAILPOINTS'], onFatal: (e) => { logger.error('fatal', { code: e.code, error: e.message }); process.exit(74); } });
await service.start();
logger.info('ready');
for (const s of ['SIGINT', 'SIGTERM'] as const) process.once(s, () => { void service.stop(systemClock.monotonicMs() + 8000).then(() => process.exit(0)); });
