/** The words behind `millrace replay`, as data. */
import { SIGNALS, type Signal } from '../component/signal.ts';
import { parseByteSize } from '../config/byte-size.ts';
import { parseDuration } from '../config/duration.ts';
import { redactEndpoint } from '../config/host-port.ts';
import { isTimeZone } from '../s3/zoned-time.ts';
import { type CliIssue, DEFAULT_DATA_DIR } from './cli.ts';
import { readFlagWords } from './flag-words.ts';
import { parseTimeWord } from './time-words.ts';

const FLAGS = [
  '--from',
  '--to',
  '--since',
  '--until',
  '--timezone',
  '--signal',
  '--rate',
  '--config',
  '--set',
  '--data-dir',
  '--state',
  '--patience',
  '--object-size-max',
  '--s3-endpoint',
  '--s3-region',
  '--s3-role',
] as const;
const SWITCHES = ['--json', '--restart', '--s3-path-style', '--dry-run'] as const;
type FlagName = (typeof FLAGS)[number];
type Switch = (typeof SWITCHES)[number];
const PATIENCE_DEFAULT = '10m';
const OBJECT_SIZE_DEFAULT = '8GiB';

export interface ReplayCommand {
  /** As written. */
  from: string;
  source:
    | {
        kind: 'bucket';
        bucket: string;
        prefix: string;
        endpoint: string | undefined;
        region: string;
        role: string | undefined;
        forcesPathStyle: boolean;
      }
    | { kind: 'path'; path: string };
  /** As written, but without what an address should not hold; empty in a dry run without a target. */
  to: string;
  target:
    | { kind: 'endpoint'; transport: 'http' | 'grpc'; url: string; isSecure: boolean }
    | { kind: 'exporter'; id: string };
  /** As written, for the state: a duration would be another time at each call. */
  sinceText: string;
  untilText: string;
  since: TimeWord;
  until: TimeWord;
  timezone: string;
  signals: readonly Signal[];
  /** Items a second; undefined: as fast as it goes. */
  rate: number | undefined;
  configs: readonly string[];
  sets: readonly string[];
  dataDir: string;
  statePath: string | undefined;
  patienceMs: number;
  objectBytesMax: number;
  isJson: boolean;
  isRestart: boolean;
  isDryRun: boolean;
}

/** undefined: no bound. */
export type TimeWord = { unixMs: number } | { backMs: number } | undefined;

export type ReplayCli =
  | { command: ReplayCommand; issues: [] }
  | { command: 'help' }
  | { command: undefined; issues: CliIssue[] };

export const REPLAY_HELP = `millrace replay: send archived telemetry again

Usage
  millrace replay --from s3://BUCKET/PREFIX|DIR|FILE --to ENDPOINT            [flags]
  millrace replay --from s3://BUCKET/PREFIX|DIR|FILE --to EXPORTER --config FILE [flags]

  Reads what an exporter "awss3" wrote, of this engine or of a Collector: OTLP/JSON and OTLP
  protobuf, plain or compressed by gzip or zstd; also what an exporter "file" wrote. Nothing is
  changed there.

From where
  --from s3://BUCKET/PREFIX   objects whose keys begin with PREFIX. Credentials come from the usual
                              places: AWS_ACCESS_KEY_ID, AWS_PROFILE, ~/.aws, container, instance
  --from DIR|FILE             the same objects as files, or files of the exporter "file"
  --since TIME, --until TIME  written from then on, and before then: 2026-03-01T08:00:00Z,
                              2026-03-01, or 6h, which counts back from now. The folders of a key
                              say when (year=2026/month=03/..., dt=2026-03-01/hour=08,
                              2026/03/01/08), else the time of the object. It is when data was
                              written, some time after it arose
  --timezone ZONE             what those folders are written in; default UTC. An exporter without
                              s3_partition_timezone writes the time of its machine: Local
  --signal traces,logs        only these. For protobuf whose name does not say: which signal it is
  --s3-endpoint URL, --s3-region REGION, --s3-path-style, --s3-role ARN
                              other stores than that of AWS, as the exporter's keys name them

To where
  --to http://HOST:4318       OTLP/HTTP; https:// with TLS
  --to grpc://HOST:4317       OTLP/gRPC; grpcs:// with TLS; HOST:4317 alone is the same as grpc://
  --to clickhouse             an exporter of the configuration, with all that is set for it there
  --config FILE, --set K=V    the configuration; may be given several times, as for a run
  --rate N                    most items (spans, log records, data points) a second
  --patience DURATION         give up when a backend takes nothing for so long; default ${PATIENCE_DEFAULT}
  --dry-run                   read and count everything, send nothing

Going on after an interruption
  The position is kept in a file below --data-dir (default ${DEFAULT_DATA_DIR}), or --state FILE.
  The same command goes on where it stopped, however it stopped; --restart begins anew. A batch that
  was on its way may be sent twice: it has the same batch id then, which ClickHouse discards the
  second time. Running the whole replay a second time is discarded there as well, as long as the
  table remembers (non_replicated_deduplication_window, replicated_deduplication_window).

  --object-size-max SIZE      of one object after decompression; default ${OBJECT_SIZE_DEFAULT}
  --json                      the summary as one JSON document on stdout

Examples
  millrace replay --from s3://telemetry/prod --since 2026-03-01 --until 2026-03-02 \\
      --config gateway.yaml --to clickhouse
      A day that was lost in ClickHouse.
  millrace replay --from ./copied-bucket --to http://localhost:4318 --rate 20000
      Into another engine or Collector, slowly.

Exit codes
  0   everything is delivered
  1   a mistake in the command or the configuration; or nothing can be listed there
  2   done, but some objects could not be read or some items were refused: they are listed
  75  stopped before the end, by a signal or out of patience: the same command goes on
`;

/** @param argv behind the word `replay`. */
export function parseReplayCli(argv: readonly string[]): ReplayCli {
  const switched = new Set<Switch>();
  const rest = argv.filter((word) => {
    const found = SWITCHES.find((each) => each === word);
    if (found !== undefined) switched.add(found);
    return found === undefined;
  });
  const read = readFlagWords('replay', rest, FLAGS);
  if (read === 'help') return { command: 'help' };
  const { words, values, issues } = read;
  for (const word of words) {
    const message = `unexpected argument "${word}": everything is named by a flag, such as --from and --to`;
    issues.push({ code: 'unexpected-value', argument: word, message });
  }
  for (const [flag, given] of values) {
    if (given.length > 1 && flag !== '--config' && flag !== '--set')
      issues.push({ code: 'repeated-flag', argument: flag, message: `${flag} is given more than once` });
  }
  const command = new Reader(values, switched, issues).command();
  return issues.length === 0 ? { command, issues: [] } : { command: undefined, issues };
}

class Reader {
  readonly #values: ReadonlyMap<FlagName, readonly string[]>;
  readonly #switched: ReadonlySet<Switch>;
  readonly #issues: CliIssue[];

  constructor(
    values: ReadonlyMap<FlagName, readonly string[]>,
    switched: ReadonlySet<Switch>,
    issues: CliIssue[],
  ) {
    this.#values = values;
    this.#switched = switched;
    this.#issues = issues;
  }

  command(): ReplayCommand {
    const from = this.#needed('--from', 's3://BUCKET/PREFIX, a directory or a file');
    const isDryRun = this.#switched.has('--dry-run');
    const to = isDryRun ? (this.#text('--to') ?? '') : this.#needed('--to', 'an endpoint or an exporter');
    const command: ReplayCommand = {
      ...{ from, to: redactEndpoint(to), isDryRun },
      ...{ source: this.#source(from), target: this.#target(to) },
      sinceText: this.#text('--since') ?? '',
      untilText: this.#text('--until') ?? '',
      since: this.#time('--since'),
      until: this.#time('--until'),
      timezone: this.#timezone(),
      signals: this.#signals(),
      rate: this.#rate(),
      configs: this.#values.get('--config') ?? [],
      sets: this.#values.get('--set') ?? [],
      dataDir: this.#text('--data-dir') ?? DEFAULT_DATA_DIR,
      statePath: this.#text('--state'),
      patienceMs: this.#duration('--patience', PATIENCE_DEFAULT),
      objectBytesMax: this.#bytes('--object-size-max', OBJECT_SIZE_DEFAULT),
      isJson: this.#switched.has('--json'),
      isRestart: this.#switched.has('--restart'),
    };
    if (to !== '' && command.target.kind === 'exporter' && command.configs.length === 0) {
      const message = `--to ${to} names an exporter: its configuration is needed, --config FILE`;
      this.#issue('missing-config', '--config', message);
    }
    return command;
  }

  #issue(code: CliIssue['code'], argument: string, message: string): void {
    this.#issues.push({ code, argument, message });
  }

  #text(flag: FlagName): string | undefined {
    return this.#values.get(flag)?.[0];
  }

  #needed(flag: FlagName, what: string): string {
    const text = this.#text(flag);
    if (text === undefined && !this.#issues.some(({ argument }) => argument === flag))
      this.#issue('missing-value', flag, `replay needs ${flag}: ${what}`);
    return text ?? '';
  }

  #source(from: string): ReplayCommand['source'] {
    const url = /^s3:\/\/([^/]*)\/?(.*)$/.exec(from);
    if (url === null) {
      const s3Flag = (['--s3-endpoint', '--s3-region', '--s3-role'] as const).find((flag) =>
        this.#values.has(flag),
      );
      if (s3Flag !== undefined) this.#issue('not-for-command', s3Flag, `${s3Flag} is for --from s3://`);
      return { kind: 'path', path: from };
    }
    if (url[1] === '') this.#issue('bad-value', '--from', '--from s3:// needs a bucket: s3://BUCKET/PREFIX');
    return {
      kind: 'bucket',
      bucket: url[1]!,
      prefix: url[2]!,
      endpoint: this.#text('--s3-endpoint'),
      region: this.#text('--s3-region') ?? '',
      role: this.#text('--s3-role'),
      forcesPathStyle: this.#switched.has('--s3-path-style'),
    };
  }

  #target(to: string): ReplayCommand['target'] {
    const url = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(to);
    const isHostAndPort = /^(\[[0-9a-f:.]+\]|[\w.-]+):\d{1,5}$/i.test(to);
    if (url === null && !isHostAndPort) return { kind: 'exporter', id: to };
    const scheme = (url?.[1] ?? 'grpc').toLowerCase();
    if (scheme === 'http' || scheme === 'https')
      return { kind: 'endpoint', transport: 'http', url: to, isSecure: scheme === 'https' };
    if (scheme !== 'grpc' && scheme !== 'grpcs')
      this.#issue('bad-value', '--to', `--to knows http, https, grpc and grpcs, got "${scheme}://"`);
    const address = url?.[2] ?? to;
    return { kind: 'endpoint', transport: 'grpc', url: address, isSecure: scheme === 'grpcs' };
  }

  #time(flag: '--since' | '--until'): TimeWord {
    const text = this.#text(flag);
    if (text === undefined) return undefined;
    const time = parseTimeWord(text);
    if (time === undefined) {
      const message = `${flag} must be a time such as 2026-03-01T08:00:00Z, a day, or a duration such as 6h, got "${text}"`;
      this.#issue('bad-value', flag, message);
    }
    return time;
  }

  #timezone(): string {
    const name = this.#text('--timezone') ?? 'UTC';
    if (!isTimeZone(name))
      this.#issue(
        'bad-value',
        '--timezone',
        `--timezone must be a name such as Europe/Berlin, got "${name}"`,
      );
    return name;
  }

  #signals(): readonly Signal[] {
    const text = this.#text('--signal');
    if (text === undefined) return SIGNALS;
    const words = text.split(',').map((word) => word.trim());
    const strange = words.find((word) => !SIGNALS.some((signal) => signal === word));
    if (strange !== undefined)
      this.#issue('bad-value', '--signal', `--signal knows ${SIGNALS.join(', ')}, got "${strange}"`);
    return SIGNALS.filter((signal) => words.includes(signal));
  }

  #rate(): number | undefined {
    const text = this.#text('--rate');
    if (text === undefined) return undefined;
    if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
    this.#issue('bad-value', '--rate', `--rate must be a number of items a second from 1, got "${text}"`);
    return undefined;
  }

  #duration(flag: FlagName, byDefault: string): number {
    const text = this.#text(flag) ?? byDefault;
    const value = parseDuration(text);
    if (typeof value === 'number' && value > 0) return value;
    this.#issue('bad-value', flag, `${flag} must be a duration such as 10m, got "${text}"`);
    return 0;
  }

  #bytes(flag: FlagName, byDefault: string): number {
    const text = this.#text(flag) ?? byDefault;
    const value = parseByteSize(text);
    if (value !== undefined && value > 0) return value;
    this.#issue('bad-value', flag, `${flag} must be a size such as 8GiB, got "${text}"`);
    return 0;
  }
}
