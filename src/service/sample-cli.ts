/** The words behind `millrace sample`, as data. */
import { availableParallelism } from 'node:os';
import { didYouMean } from '../stdx/nearest.ts';
import type { CliIssue } from './cli.ts';
import { parseTimeWord } from './time-words.ts';

const VALUE_FLAGS = [
  '--policies',
  '--compare',
  '--processor',
  '--from',
  '--log',
  '--since',
  '--examples',
  '--workers',
  '--store-ratio',
] as const;
const SWITCHES = ['--json'] as const;
const FLAGS: readonly string[] = [...VALUE_FLAGS, ...SWITCHES];
type ValueFlag = (typeof VALUE_FLAGS)[number];
const EXAMPLES_DEFAULT = 3;
const WORKERS_MAX = 64;
const RATIO_DEFAULT = 0.12;

export interface SampleCommand {
  policies: string;
  compare: string | undefined;
  /** Id of the processor whose policies count, in files with several. */
  processor: string | undefined;
  from: string;
  log: string | undefined;
  /** Milliseconds since the epoch; negative: back from the newest. */
  sinceUnixMs: number;
  examples: number;
  workers: number;
  storeRatio: number;
  isJson: boolean;
}

export type SampleCli =
  | { command: SampleCommand; issues: [] }
  | { command: 'help' }
  | { command: undefined; issues: CliIssue[] };

export const SAMPLE_HELP = `millrace sample: what policies of tail_sampling would keep of recorded traces

Usage
  millrace sample --policies FILE --from DIR|FILE [--since TIME] [--compare FILE] [flags]

  Replays recorded requests through the sampler, at full speed and with the time of the recording,
  and prints what it keeps: by policy, by service, with trace ids to look at. Nothing is written.

Flags
  --policies FILE    a configuration with a processor tail_sampling, or "policies:" by itself, with
                     decision_wait and the other keys beside it
  --from PATH        where the requests are recorded:
                     a data directory (--data-dir of an engine, which may be running) or one log in
                     it: spans that wait for their decision, or else for delivery;
                     or what the exporter "file" wrote, here or in a Collector: lines of JSON, or
                     protobuf messages behind their lengths, compressed by gzip or not
  --since TIME       leave out what arrived before, such as 2026-03-01T08:00:00Z, or 30m, which
                     counts back from the newest
  --compare FILE     second policies: prints which traces only one of both files keeps
  --processor ID     which tail_sampling of a file with several, such as tail_sampling/eu
  --log NAME         which log of a data directory with several, such as traces+pending
  --examples N       trace ids of each kind; default ${EXAMPLES_DEFAULT}
  --workers N        threads; default: one for each core. The result does not depend on it
  --store-ratio R    bytes in ClickHouse for each byte of encoded spans; default ${RATIO_DEFAULT}
  --json             one JSON document on stdout

Examples
  millrace sample --policies gateway.yaml --from /var/lib/millrace --since 30m
      What the policies of gateway.yaml do to the spans that an engine holds on disk now.
  millrace sample --policies gateway.yaml --compare cheaper.yaml --from traces.json.gz
      What would change with other policies, for an hour of traces that the exporter "file" wrote.

How to read it
  A trace counts for the first policy that samples it, in the order of the file; for a policy
  "drop" when that ends it. It belongs to the service of its root span, or of any of its spans
  when that did not come. Bytes are those of encoded spans, as clients sent them, without resources.
  Bytes in ClickHouse are these times --store-ratio: 49 bytes a span were measured after merges for
  spans of 413 bytes. Yours differ; compare system.parts of a table with what was sent to it.
  Requests in files have no time of arrival: a request counts as arrived when the latest span so far
  ended. Policies with a rate see the time of the recording.

Exit codes: 0 printed, also when parts of the recording could not be read, which are listed;
1 a mistake in the command, the policies or the path.
`;

/** @param argv behind the word `sample`. */
export function parseSampleCli(argv: readonly string[]): SampleCli {
  if (argv.some((word) => word === '--help' || word === '-h')) return { command: 'help' };
  const values = new Map<ValueFlag, string>();
  const issues: CliIssue[] = [];
  let isJson = false;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (word === '--json') isJson = true;
    else if (!word.startsWith('-')) {
      const message = `unexpected argument "${word}": files are named by --policies and --from`;
      issues.push({ code: 'unexpected-value', argument: word, message });
    } else {
      const flag = VALUE_FLAGS.find((each) => each === name);
      if (flag === undefined) {
        issues.push({ code: 'unknown-flag', argument: name, message: strangeFlag(name) });
        continue;
      }
      const value = equals < 0 ? argv[++index] : word.slice(equals + 1);
      if (value === undefined || value === '')
        issues.push({ code: 'missing-value', argument: name, message: `${name} needs a value` });
      else if (values.has(flag))
        issues.push({ code: 'repeated-flag', argument: name, message: `${name} is given more than once` });
      else values.set(flag, value);
    }
  }
  const command = buildCommand(values, isJson, issues);
  return issues.length === 0 ? { command, issues: [] } : { command: undefined, issues };
}

function strangeFlag(name: string): string {
  return name === '--json'
    ? '--json takes no value'
    : `unknown flag ${name} of sample${didYouMean(name, FLAGS)}`;
}

function buildCommand(
  values: ReadonlyMap<ValueFlag, string>,
  isJson: boolean,
  issues: CliIssue[],
): SampleCommand {
  for (const [flag, what] of [
    ['--policies', 'a file with policies'],
    ['--from', 'a data directory, a log or a file'],
  ] as const) {
    const isGiven = values.has(flag) || issues.some(({ argument }) => argument === flag);
    if (!isGiven)
      issues.push({ code: 'missing-value', argument: flag, message: `sample needs ${flag}: ${what}` });
  }
  const number = (flag: ValueFlag, pattern: RegExp, isGood: (value: number) => boolean, what: string) => {
    const text = values.get(flag);
    if (text === undefined) return undefined;
    const value = pattern.test(text) ? Number(text) : Number.NaN;
    if (isGood(value)) return value;
    issues.push({ code: 'bad-value', argument: flag, message: `${flag} must be ${what}, got "${text}"` });
    return undefined;
  };
  const isCount = (value: number) => value >= 0 && value <= 1000;
  const isWorkers = (value: number) => value >= 1 && value <= WORKERS_MAX;
  const isRatio = (value: number) => value > 0 && value <= 100;
  return {
    policies: values.get('--policies') ?? '',
    compare: values.get('--compare'),
    processor: values.get('--processor'),
    from: values.get('--from') ?? '',
    log: values.get('--log'),
    sinceUnixMs: readSince(values.get('--since'), issues),
    examples: number('--examples', /^\d{1,4}$/, isCount, 'a number from 0 to 1000') ?? EXAMPLES_DEFAULT,
    workers:
      number('--workers', /^\d{1,3}$/, isWorkers, `a number from 1 to ${WORKERS_MAX}`) ??
      Math.min(availableParallelism(), WORKERS_MAX),
    storeRatio:
      number('--store-ratio', /^\d+(\.\d+)?$/, isRatio, 'a number over 0, such as 0.12') ?? RATIO_DEFAULT,
    isJson,
  };
}

function readSince(text: string | undefined, issues: CliIssue[]): number {
  if (text === undefined) return 0;
  const time = parseTimeWord(text);
  if (time !== undefined) return 'unixMs' in time ? time.unixMs : -time.backMs;
  const message = `--since must be a time such as 2026-03-01T08:00:00Z or a duration such as 30m, got "${text}"`;
  issues.push({ code: 'bad-value', argument: '--since', message });
  return 0;
}
