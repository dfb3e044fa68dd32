/** `millrace top`: its command line, and its start. */
import type { Clock } from '../stdx/clock.ts';
import { parseEndpoint } from '../top/scrape-source.ts';
import { processTerminal } from '../top/terminal.ts';
import { runTop } from '../top/top.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';

const DEFAULT_ENDPOINT = 'http://127.0.0.1:8888/metrics';

const TOP_HELP = `millrace top: what a running engine does, once a second, from its metrics endpoint.

Usage
  millrace top [--endpoint URL] [--count N]

Flags
  --endpoint URL   where the metrics are: http://host:port/metrics, host:port or :port;
                   default ${DEFAULT_ENDPOINT}
  --count N        end after so many looks, one a second

Keys
  q quit   s next order   r by rate   f by refusals   w by queue   l by latency   n by name

Into a pipe or a file it writes plain lines of key=value, a blank line after each look.

Columns
  REFUSED, FAILED and RETRY count a second. P50, P99 and P99.9 are of the last minute: at a
  receiver from the complete request to its answer, at an exporter of one attempt to send.
  QUEUE and WAITING are items that wait on disk, AGE is how long the oldest has waited.
`;

export interface TopProgram {
  /** Behind the word `top`. */
  argv: readonly string[];
  clock: Clock;
  writeOut(text: string): void;
  writeError(text: string): void;
  onSignal(onStop: (signal: string) => void): void;
}

export interface TopCommand {
  endpoint: URL;
  count: number | undefined;
}

const FLAGS = ['--endpoint', '--count'] as const;

/** @returns 'help', the command, or every mistake. */
export function parseTop(argv: readonly string[]): TopCommand | 'help' | { issues: string[] } {
  if (argv.some((word) => ['--help', '-h', 'help'].includes(word))) return 'help';
  const values = new Map<string, string>();
  const issues: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index]!;
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    if (!FLAGS.some((each) => each === flag)) {
      issues.push(`top knows ${FLAGS.join(' and ')}, not ${flag}`);
      continue;
    }
    const value = equals < 0 ? argv[++index] : word.slice(equals + 1);
    if (value === undefined || value === '') issues.push(`${flag} needs a value`);
    else if (values.has(flag)) issues.push(`${flag} is given more than once`);
    else values.set(flag, value);
  }
  const count = readCount(values.get('--count'), issues);
  const endpoint = parseEndpoint(values.get('--endpoint') ?? DEFAULT_ENDPOINT);
  if (endpoint === undefined)
    issues.push(`--endpoint must be a URL such as ${DEFAULT_ENDPOINT}, or host:port`);
  return endpoint === undefined || issues.length > 0 ? { issues } : { endpoint, count };
}

function readCount(value: string | undefined, issues: string[]): number | undefined {
  if (value === undefined) return undefined;
  const count = /^[0-9]{1,9}$/.test(value) ? Number(value) : 0;
  if (count >= 1) return count;
  issues.push(`--count must be a number from 1 on, got "${value}"`);
  return undefined;
}

/** @returns the exit code: 1 when the endpoint never gave metrics. */
export async function runTopCommand(program: TopProgram): Promise<number> {
  const parsed = parseTop(program.argv);
  if (parsed === 'help') {
    program.writeOut(TOP_HELP);
    return EXIT_OK;
  }
  if ('issues' in parsed) {
    program.writeError(parsed.issues.map((issue) => `millrace: ${issue}\n`).join(''));
    program.writeError('millrace top --help explains the flags.\n');
    return EXIT_CONFIG;
  }
  const terminal = () => processTerminal((stop) => program.onSignal(stop));
  const hasSeen = await runTop({ ...parsed, clock: program.clock, terminal });
  return hasSeen ? EXIT_OK : EXIT_CONFIG;
}
