/** The report of a dry run for people. */
import type { ReportCounts, ReportOutcome, ReportSide, SampleReport, Verdict } from './sample-report.ts';
import { tableText } from './text-table.ts';

/** Services and differences that are listed; `--json` has all. */
const LISTED_MAX = 20;
const HEAD = ['TRACES', '%', 'SPANS', '%', 'BYTES', '%', 'CLICKHOUSE'];
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
const VERDICT_TEXTS: Readonly<Record<Verdict, string>> = {
  both: 'kept by both',
  first: 'kept by the first only',
  second: 'kept by the second only',
  neither: 'kept by neither',
};

export function reportText(report: SampleReport): string {
  const parts = [headText(report)];
  for (const side of report.sides) parts.push(sideText(side));
  if (report.comparison !== undefined) parts.push(comparisonText(report));
  return parts.join('\n');
}

function headText({
  from,
  firstTime,
  lastTime,
  requests,
  spans,
  bytes,
  skipped,
  warnings,
}: SampleReport): string {
  const lines = [
    `${countText(requests)} requests with ${countText(spans)} spans, ${bytesText(bytes)}, from ${from}`,
    firstTime === null ? 'nothing arrived in that time' : `arrived ${firstTime} to ${lastTime}`,
  ];
  if (skipped.badSpans > 0) lines.push(`${countText(skipped.badSpans)} spans without valid ids left out`);
  if (skipped.skippedCount > 0) lines.push(`${countText(skipped.skippedCount)} parts could not be read:`);
  for (const { place, reason } of skipped.skipped) lines.push(`  ${place}: ${reason}`);
  if (skipped.skippedCount > skipped.skipped.length)
    lines.push(`  and ${countText(skipped.skippedCount - skipped.skipped.length)} more`);
  for (const warning of warnings) lines.push(`warning: ${warning}`);
  return `${lines.join('\n')}\n`;
}

function sideText(side: ReportSide): string {
  const { file, processor, seen, kept, outcomes, services } = side;
  const lines = [`${file}${processor === undefined ? '' : `, ${processor}`}`];
  const rows = [
    ['POLICY', '', ...HEAD],
    ...outcomes.map((outcome) => [outcome.name, effectOf(outcome), ...cells(outcome, seen)]),
    ['kept', '', ...cells(kept, seen)],
    ['seen', '', ...cells(seen, seen)],
  ];
  lines.push(tableText(rows).trimEnd());
  if (side.decidedEarly > 0)
    lines.push(
      `${countText(side.decidedEarly)} traces were decided early: num_traces was too small for them`,
    );
  if (side.lateSpans > 0)
    lines.push(
      `${countText(side.lateSpans)} spans came after the decision about their trace and went with it`,
    );
  if (side.errors > 0) lines.push(`policies failed ${countText(side.errors)} times and had no say then`);
  const listed = services.slice(0, LISTED_MAX);
  const serviceRows = [
    ['SERVICE', 'POLICY', '', ...HEAD],
    ...listed.flatMap(({ service, seen: all, kept: own, outcomes: each }) => [
      [service, 'kept', '', ...cells(own, all)],
      ...each.map((outcome) => ['', outcome.name, effectOf(outcome), ...cells(outcome, all)]),
    ]),
  ];
  lines.push('', tableText(serviceRows).trimEnd());
  if (services.length > listed.length)
    lines.push(`and ${services.length - listed.length} services more, see --json`);
  const examples = listed.flatMap(({ service, outcomes: each }) =>
    each.flatMap((outcome) =>
      outcome.examples.map((id, index) => (index === 0 ? [service, outcome.name, id] : ['', '', id])),
    ),
  );
  if (examples.length > 0)
    lines.push('', tableText([['SERVICE', 'POLICY', 'EXAMPLES'], ...examples]).trimEnd());
  return `${lines.join('\n')}\n`;
}

function effectOf({ type, isKept }: ReportOutcome): string {
  return type === undefined || isKept ? '' : 'drops';
}

function comparisonText({ comparison, sides }: SampleReport): string {
  const { keptBy, differences } = comparison!;
  const { seen } = sides[0]!;
  const verdicts = Object.keys(VERDICT_TEXTS) as Verdict[];
  const lines = [
    `first: ${sides[0]!.file}, second: ${sides[1]!.file}`,
    tableText([
      ['', ...HEAD],
      ...verdicts.map((verdict) => [VERDICT_TEXTS[verdict], ...cells(keptBy[verdict], seen)]),
    ]).trimEnd(),
  ];
  if (differences.length === 0) lines.push('no trace is kept by one of them only');
  else {
    const rows = differences.slice(0, LISTED_MAX).map((each) => {
      const { keptBy: by, service, first, second, examples } = each;
      return [by, service, first, second, ...cells(each, seen), examples.join(' ')];
    });
    lines.push(
      '',
      tableText([['KEPT BY', 'SERVICE', 'FIRST', 'SECOND', ...HEAD, 'EXAMPLES'], ...rows]).trimEnd(),
    );
  }
  if (differences.length > LISTED_MAX)
    lines.push(`and ${differences.length - LISTED_MAX} differences more, see --json`);
  return `${lines.join('\n')}\n`;
}

/** As HEAD: with the share of all. */
function cells(counts: ReportCounts, all: ReportCounts): string[] {
  return [
    ...[countText(counts.traces), shareText(counts.traces, all.traces)],
    ...[countText(counts.spans), shareText(counts.spans, all.spans)],
    ...[bytesText(counts.bytes), shareText(counts.bytes, all.bytes)],
    bytesText(counts.storeBytes),
  ];
}

export function countText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ' ');
}

function shareText(part: number, all: number): string {
  return all === 0 ? '-' : ((part / all) * 100).toFixed(1);
}

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`;
}
