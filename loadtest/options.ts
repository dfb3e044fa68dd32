/** The command line of one load. */
import { parseArgs } from 'node:util';
import type { GeneratedSignal } from '../src/testkit/generators.ts';
import { GENERATED_SIGNALS } from '../src/testkit/generators.ts';
import { isZstdAvailable, type LoadCompression } from './bodies.ts';

export interface LoadOptions {
  readonly protocol: 'http' | 'grpc';
  readonly host: string;
  readonly port: number;
  readonly signal: GeneratedSignal;
  /** Items a second of all workers together; 0 = closed loop at full speed. */
  readonly rate: number;
  readonly durationMs: number;
  readonly warmupMs: number;
  /** How long processor time is still counted after the last answer: work that was only put off shows. */
  readonly settleMs: number;
  readonly timeoutMs: number;
  readonly refusedPauseMs: number;
  readonly workers: number;
  /** Connections of all workers together. */
  readonly connections: number;
  /** Requests in flight on one connection. */
  readonly pipeline: number;
  readonly itemsPerRequest: number;
  readonly itemsPerTrace: number;
  readonly requestsPerTrace: number;
  readonly compression: LoadCompression;
  readonly encoding: 'proto' | 'json';
  readonly isTls: boolean;
  readonly seed: number;
  readonly run: string;
  readonly ledger: string | undefined;
  readonly json: string | undefined;
  readonly pid: number | undefined;
}

export const DEFAULT_LOAD: LoadOptions = {
  protocol: 'http',
  host: '127.0.0.1',
  port: 4318,
  signal: 'traces',
  rate: 0,
  durationMs: 30_000,
  warmupMs: 3_000,
  settleMs: 500,
  timeoutMs: 30_000,
  refusedPauseMs: 25,
  workers: 1,
  connections: 8,
  pipeline: 1,
  itemsPerRequest: 512,
  itemsPerTrace: 8,
  requestsPerTrace: 1,
  compression: 'none',
  encoding: 'proto',
  isTls: false,
  seed: 1,
  run: '',
  ledger: undefined,
  json: undefined,
  pid: undefined,
};

export const USAGE = `Usage: npm run loadtest -- [options]
  --protocol http|grpc          default http
  --endpoint HOST:PORT          default 127.0.0.1:4318 (http), 127.0.0.1:4317 (grpc)
  --signal traces|logs|metrics  default traces
  --rate N                      items a second, open loop; 0 = closed loop at full speed (default)
  --duration 30s                counted time; --warmup 3s before it is sent but not counted
  --workers N                   client threads, default 1
  --connections N               of all workers together, default 8
  --pipeline N                  requests in flight on a connection, default 1
  --spans-per-request N         items of a request, default 512; --spans-per-trace N, default 8
  --requests-per-trace N        consecutive requests of a connection's thread that share a trace, default 1
  --compression none|gzip|zstd  zstd needs Node 22.15 or later
  --encoding proto|json         json over http only
  --tls off|on                  on: encrypted, the server's certificate is not checked
  --timeout 30s                 longest wait for an answer
  --refused-pause 25ms          closed loop: wait after a refusal
  --ledger FILE                 append a line "run producer seq items" for each acknowledged request
  --run NAME                    up to eight characters in lt.run; default: from the time
  --seed N                      default 1
  --json FILE                   write the result as JSON
  --pid N                       also measure processor time and memory of that process and its children
  --plan [--help]               no load: how many machines two tiers need for a rate
  --scenario NAME[,NAME...]|all start engine and sinks, print the goals against what was measured
                                (--runs N, --time-scale F, --work-dir DIR, --no-memory-warmup)`;

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `1m30s`, `250ms` and the like, in milliseconds. */
export function parseDurationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new RangeError(`not a duration such as 30s: ${text}`);
  }
  return parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (DURATION_UNITS[unit ?? 's'] ?? 0),
    0,
  );
}

function parseCount(text: string, name: string, min: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < min)
    throw new RangeError(`--${name} must be a number of at least ${min}: ${text}`);
  return value;
}

function oneOf<T extends string>(text: string, name: string, choices: readonly T[]): T {
  const choice = choices.find((one) => one === text);
  if (choice === undefined) throw new RangeError(`--${name} must be one of ${choices.join(', ')}: ${text}`);
  return choice;
}

type LoadFlags = Readonly<Record<string, string | undefined>>;

/** A load from flags without their dashes, as they stand on the command line and in scenario files. */
export function loadFromFlags(flags: LoadFlags): LoadOptions {
  const protocol = oneOf(flags.protocol ?? 'http', 'protocol', ['http', 'grpc']);
  const encoding = oneOf(flags.encoding ?? 'proto', 'encoding', ['proto', 'json']);
  if (protocol === 'grpc' && encoding === 'json') throw new RangeError('OTLP/gRPC has no JSON');
  if (flags.compression === 'zstd' && !isZstdAvailable()) {
    throw new RangeError(`--compression zstd needs Node 22.15 or later, this is ${process.version}`);
  }
  const endpoint = flags.endpoint ?? `127.0.0.1:${protocol === 'grpc' ? 4317 : 4318}`;
  const colon = endpoint.lastIndexOf(':');
  const count = (name: string, fallback: number, min: number): number => {
    const text = flags[name];
    return text === undefined ? fallback : parseCount(text, name, min);
  };
  const duration = (name: string, fallbackMs: number): number => {
    const text = flags[name];
    return text === undefined ? fallbackMs : parseDurationMs(text);
  };
  const workers = count('workers', DEFAULT_LOAD.workers, 1);
  return {
    protocol,
    encoding,
    host: endpoint.slice(0, colon),
    port: parseCount(endpoint.slice(colon + 1), 'endpoint', 1),
    signal: oneOf(flags.signal ?? 'traces', 'signal', GENERATED_SIGNALS),
    rate: count('rate', DEFAULT_LOAD.rate, 0),
    durationMs: duration('duration', DEFAULT_LOAD.durationMs),
    warmupMs: duration('warmup', DEFAULT_LOAD.warmupMs),
    settleMs: duration('settle', DEFAULT_LOAD.settleMs),
    timeoutMs: duration('timeout', DEFAULT_LOAD.timeoutMs),
    refusedPauseMs: duration('refused-pause', DEFAULT_LOAD.refusedPauseMs),
    workers,
    connections: Math.max(workers, count('connections', DEFAULT_LOAD.connections, 1)),
    pipeline: count('pipeline', DEFAULT_LOAD.pipeline, 1),
    itemsPerRequest: count('spans-per-request', DEFAULT_LOAD.itemsPerRequest, 1),
    itemsPerTrace: count('spans-per-trace', DEFAULT_LOAD.itemsPerTrace, 1),
    requestsPerTrace: count('requests-per-trace', DEFAULT_LOAD.requestsPerTrace, 1),
    compression: oneOf(flags.compression ?? 'none', 'compression', ['none', 'gzip', 'zstd']),
    isTls: oneOf(flags.tls ?? 'off', 'tls', ['off', 'on']) === 'on',
    seed: count('seed', DEFAULT_LOAD.seed, 0),
    run: flags.run ?? Math.floor(Date.now() / 1_000).toString(36),
    ledger: flags.ledger,
    json: flags.json,
    pid: flags.pid === undefined ? undefined : parseCount(flags.pid, 'pid', 1),
  };
}

const LOAD_FLAGS = [
  ...['protocol', 'endpoint', 'signal', 'rate', 'duration', 'warmup', 'settle', 'timeout', 'refused-pause'],
  ...[
    'workers',
    'connections',
    'pipeline',
    'spans-per-request',
    'spans-per-trace',
    'requests-per-trace',
    'compression',
    'encoding',
    'tls',
  ],
  ...['seed', 'run', 'ledger', 'json', 'pid'],
];

const SCENARIO_FLAGS = ['scenario', 'runs', 'time-scale', 'work-dir'];

export interface CommandLine {
  readonly flags: LoadFlags;
  readonly isHelp: boolean;
  readonly skipsMemoryWarmup: boolean;
}

/** @throws TypeError for an unknown flag. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const options = Object.fromEntries(
    [...LOAD_FLAGS, ...SCENARIO_FLAGS].map((name) => [name, { type: 'string' as const }]),
  );
  const { values } = parseArgs({
    args: [...args],
    options: { ...options, help: { type: 'boolean' }, 'no-memory-warmup': { type: 'boolean' } },
    strict: true,
  });
  const flags: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) if (typeof value === 'string') flags[name] = value;
  return { flags, isHelp: values.help === true, skipsMemoryWarmup: values['no-memory-warmup'] === true };
}

export function isLoadFlag(name: string): boolean {
  return LOAD_FLAGS.includes(name);
}
