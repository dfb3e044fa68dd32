/**
 * The sum of every buffer that has a bound, for one configuration: what the engine cannot exceed, however slow disks
 * and backends are. Far more than it takes under ordinary load, when nearly all of them are nearly empty.
 */
import type { ReceiverFactory } from '../component/factory.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { BATCH_BYTES_MAX } from '../exporters/helper/batch-assembler.ts';
import { IN_FLIGHT_BYTES_MAX } from '../exporters/helper/delivery.ts';
import { ELEMENTS_MAX } from '../otlp/scan-message.ts';
import {
  PENDING_BYTES_MAX,
  READER_POOL_BYTES_MAX,
  WRITER_POOL_BYTES_MAX,
} from '../queue/log/memory-bounds.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import { requestRingBytes } from './data-path.ts';
import { ackRingBytes } from './ingest.ts';
import { hasOverflowWait } from './request-waits.ts';
import type { ThreadPlan } from './thread-plan.ts';
import { WAITING_BYTES_MAX } from './waiting-room.ts';

const MIB = 1 << 20;

/** V8's heap, code and garbage that is not collected yet: no bound but a measured share, doubled. */
const MAIN_THREAD_BYTES = 160 * MIB;
const WORKER_THREAD_BYTES = 96 * MIB;

/** Eight words for each element of a request, twice while the tables grow. */
const INDEX_BYTES = ELEMENTS_MAX * 8 * 4 * 2;

/** A body decompressed, as protobuf when it was JSON, and without its rejected items. */
const COPIES_OF_BODY = 3;

export interface MemoryPart {
  part: 'rings' | 'receivers' | 'decoding' | 'log_writers' | 'exporters' | 'runtime';
  bytes: number;
}

/** @returns the parts, each an upper bound in bytes; the embedded store is a process of its own and not among them. */
export function memoryBudget(plan: CollectorPlan, threads: ThreadPlan, registry: Registry): MemoryPart[] {
  const workers = threads.logsByWorker.length;
  const logs = threads.logsByWorker.reduce((sum, each) => sum + each.length, 0);
  const exporters = threads.exportersByWorker.flat();
  const deliveries = exporters.reduce((sum, { logs: each }) => sum + each.length, 0);
  const rings = requestRingBytes(threads.bodyBytesMax) + ackRingBytes();
  const receivers = plan.receivers.map(({ type, config }) => {
    const factory = findFactory(registry, 'receiver', type) as ReceiverFactory<unknown>;
    return factory.assemblyBytesMax?.(config) ?? factory.bodyBytesMax(config);
  });
  const rooms = hasOverflowWait(threads, registry) ? 2 : 1;
  return [
    { part: 'rings', bytes: workers * rings },
    // Requests wait beside the receivers while a reload exchanges the workers, and for room where that is configured.
    { part: 'receivers', bytes: receivers.reduce((sum, bytes) => sum + bytes, rooms * WAITING_BYTES_MAX) },
    { part: 'decoding', bytes: workers * (COPIES_OF_BODY * threads.bodyBytesMax + INDEX_BYTES) },
    { part: 'log_writers', bytes: logs * (PENDING_BYTES_MAX + WRITER_POOL_BYTES_MAX) },
    // A batch is there twice: as it was read, and as the backend wants it.
    {
      part: 'exporters',
      bytes: deliveries * (2 * (IN_FLIGHT_BYTES_MAX + BATCH_BYTES_MAX) + READER_POOL_BYTES_MAX),
    },
    {
      part: 'runtime',
      bytes: MAIN_THREAD_BYTES + (workers + threads.exportersByWorker.length) * WORKER_THREAD_BYTES,
    },
  ];
}

export function totalBytes(parts: readonly MemoryPart[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** One line for people: the sum and its parts, in MiB. */
export function memoryText(parts: readonly MemoryPart[]): string {
  const mib = (bytes: number) => Math.ceil(bytes / MIB);
  const list = parts.map(({ part, bytes }) => `${part.replace('_', ' ')} ${mib(bytes)}`).join(', ');
  return `${mib(totalBytes(parts))} MiB   (every bounded buffer full: ${list})`;
}
