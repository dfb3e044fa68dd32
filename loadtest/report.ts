/** Text for people: the live line and the summary at the end of a load. */
import type { LoadProgress, LoadResult } from './load.ts';

const MIB = 1024 * 1024;

/** Three figures that a person compares: 1.52 M, 934 K, 87. */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  if (Math.abs(value) >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  if (Math.abs(value) >= 9_995) return `${(value / 1e3).toPrecision(3)} K`;
  return String(Math.round(value * 10) / 10);
}

export function formatMs(ms: number): string {
  return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(2)} ms`;
}

export function progressLine(progress: LoadProgress): string {
  const { counts } = progress;
  const cores = progress.engineCores === undefined ? '' : `  engine ${progress.engineCores.toFixed(2)} cores`;
  const seconds = `${progress.seconds.toFixed(0).padStart(4)} s`;
  if (progress.isWarmup) return `${seconds}  warm-up, not counted`;
  return (
    `${seconds}  ${formatCount(progress.ackedItemsPerSecond)} items/s` +
    `  p99 ${formatMs(progress.p99Ms)}  sent ${counts.sentRequests}  acked ${counts.ackedRequests}` +
    `  refused ${counts.refusedRequests}  failed ${counts.failedRequests}${cores}`
  );
}

function engineLines(result: LoadResult): string[] {
  const engine = result.engine;
  if (engine === undefined) return [];
  const memory = `${(engine.anonymousBytesMax / MIB).toFixed(0)} MiB max, ${(engine.anonymousBytesAverage / MIB).toFixed(0)} MiB average`;
  const lines = [
    `engine     ${engine.cpuUsPerItem.toFixed(3)} CPU-us an item, ${engine.cores.toFixed(2)} cores, anonymous memory ${memory}`,
  ];
  for (const process of engine.processes) {
    const perItem = (process.cpuSeconds * 1e6) / engine.items;
    lines.push(
      `  pid ${process.pid}  ${perItem.toFixed(3)} CPU-us an item  ` +
        `${(process.anonymousBytesMax / MIB).toFixed(0)} MiB max  ${process.command.slice(0, 70)}`,
    );
  }
  return lines;
}

export function summaryLines(result: LoadResult): string[] {
  const { counts, latency, options } = result;
  const reasons = Object.entries(result.reasons).map(([reason, count]) => `${reason}: ${count}`);
  const items = (requests: number): string =>
    `${requests} (${formatCount(requests * options.itemsPerRequest)} items)`;
  return [
    `sent       ${items(counts.sentRequests)}`,
    `acked      ${items(counts.ackedRequests)}, ${formatCount(result.itemsPerSecond)} items/s over ${result.elapsedSeconds.toFixed(2)} s`,
    `refused    ${items(counts.refusedRequests)}`,
    `failed     ${items(counts.failedRequests)}`,
    ...(counts.unsentRequests > 0
      ? [`unsent     ${items(counts.unsentRequests)}: due, but every connection was busy`]
      : []),
    ...(reasons.length > 0 ? [`reasons    ${reasons.join(', ')}`] : []),
    `latency    p50 ${formatMs(latency.p50Ms)}  p90 ${formatMs(latency.p90Ms)}  p99 ${formatMs(latency.p99Ms)}  ` +
      `p99.9 ${formatMs(latency.p999Ms)}  p99.99 ${formatMs(latency.p9999Ms)}  max ${formatMs(latency.maxMs)}` +
      (options.rate > 0 ? '  (from the intended send time)' : '  (closed loop: from the sending)'),
    `client     ${result.clientCpuUsPerItem.toFixed(3)} CPU-us an item, sending at most ${formatMs(result.sendLagMsMax)} late`,
    ...engineLines(result),
  ];
}
