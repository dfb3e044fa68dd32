/** What a replay did, for people and for programs. */
import { ITEM_SUFFIX, SIGNALS } from '../component/signal.ts';
import type { ReplayCommand } from './replay-cli.ts';
import { itemsDelivered, type ReplayCounts } from './replay-counts.ts';
import { bytesText, countText } from './sample-text.ts';
import { printableLine } from './text-table.ts';

export type ReplayOutcome = 'finished' | 'stopped' | 'gave up';

export interface ReplayReport {
  outcome: ReplayOutcome;
  command: ReplayCommand;
  counts: ReplayCounts;
  /** Of this run. */
  seconds: number;
  itemsThisRun: number;
  /** undefined: nothing is kept. */
  statePath: string | undefined;
}

/** Whether everything that was there has arrived. */
export function isComplete({ refused, invalid, wrongCount }: ReplayCounts): boolean {
  return refused + invalid + wrongCount === 0;
}

export function replayJson({
  outcome,
  command,
  counts,
  seconds,
  itemsThisRun,
  statePath,
}: ReplayReport): string {
  const { wrong, wrongCount, refused, refusals, delivered, ...rest } = counts;
  const document = {
    outcome,
    dry_run: command.isDryRun,
    from: command.from,
    to: command.to,
    items: itemsDelivered(counts),
    delivered: { spans: delivered.traces, data_points: delivered.metrics, log_records: delivered.logs },
    objects: rest.objects,
    bytes: rest.bytes,
    batches: rest.batches,
    objects_left_out: rest.leftOut,
    items_invalid: rest.invalid,
    items_refused: refused,
    refusals,
    objects_wrong: wrongCount,
    wrong: wrong.map(({ key, reason, itemCount }) => ({ key, reason, items_read: itemCount })),
    seconds: Number(seconds.toFixed(3)),
    items_per_second: Math.round(itemsThisRun / Math.max(seconds, 0.001)),
    state: statePath ?? null,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

export function replayText({ outcome, command, counts, statePath }: ReplayReport): string {
  const { objects, bytes, delivered, batches } = counts;
  const parts = SIGNALS.filter((signal) => delivered[signal] > 0).map(
    (signal) => `${countText(delivered[signal])} ${ITEM_SUFFIX[signal].replace('_', ' ')}`,
  );
  const found = parts.length === 0 ? 'nothing' : parts.join(', ');
  const where = command.isDryRun
    ? 'sent nothing, it is a dry run'
    : `to ${command.to} in ${countText(batches)} batches`;
  const lines = [
    `${found} of ${countText(objects)} objects, ${bytesText(bytes)} stored, from ${command.from}; ${where}`,
  ];
  if (counts.leftOut > 0)
    lines.push(`${countText(counts.leftOut)} objects of other kinds or signals left out`);
  if (counts.invalid > 0)
    lines.push(`${countText(counts.invalid)} items left out that are invalid, such as spans without ids`);
  if (counts.refused > 0) {
    lines.push(`${countText(counts.refused)} items refused for good; they stay in the archive:`);
    for (const reason of counts.refusals) lines.push(`  ${printableLine(reason)}`);
  }
  if (counts.wrongCount > 0) lines.push(...wrongLines(counts));
  if (outcome !== 'finished') {
    const why =
      outcome === 'gave up' ? 'gave up: the backend took nothing for too long' : 'stopped before the end';
    lines.push(
      command.isDryRun ? why : `${why}; the same command goes on from here (position in ${statePath})`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function wrongLines({ wrong, wrongCount }: ReplayCounts): string[] {
  const lines = [`${countText(wrongCount)} objects could not be read, or not to their ends:`];
  for (const { key, reason, itemCount } of wrong) {
    const before = itemCount === 0 ? '' : ` (${countText(itemCount)} items before that)`;
    lines.push(`  ${printableLine(`${key}: ${reason}`)}${before}`);
  }
  if (wrongCount > wrong.length) lines.push(`  and ${countText(wrongCount - wrong.length)} more`);
  return lines;
}
