/** Structured logs by pino, rate-limited per message like the Collector's sampling. */
import { createRequire } from 'node:module';
import type { Logger as Pino } from 'pino';
import { PipelineError } from '../component/errors.ts';
import type { LogFields, Logger } from '../component/settings.ts';
import type { Clock } from '../stdx/clock.ts';
import { once } from '../stdx/once.ts';

const require = createRequire(import.meta.url);

/** Loaded with the first line: most worker threads never write one, and it is a tenth of their start. */
const loadPino = once(() => require('pino') as typeof import('pino').default);

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Of each message the first ones of a tick are printed, then one of so many; 0 for none of them. */
export interface LogSampling {
  tickMs: number;
  initial: number;
  thereafter: number;
}

/** Plain data: it goes to every thread. */
export interface LoggerOptions {
  level: LogLevel;
  encoding: 'console' | 'json';
  sampling?: LogSampling | 'off';
  /** `stderr`, `stdout` or paths of files. */
  outputPaths?: readonly string[];
  /** Where it is said that an output fails. */
  errorOutputPaths?: readonly string[];
  /** Of every line. */
  initialFields?: LogFields;
}

export const LOG_SAMPLING_DEFAULT: LogSampling = { tickMs: 10_000, initial: 10, thereafter: 100 };
/** Messages are literals of the code, so this bound is only reached by a bug. */
const MESSAGES_MAX = 1_000;
/** What a full disk may keep waiting; later lines are lost. */
const UNWRITTEN_BYTES_MAX = 1 << 20;

/** Lets the first of a message through in each tick, then one of so many. */
export class LogSampler {
  readonly #clock: Clock;
  readonly #sampling: LogSampling;
  readonly #counts = new Map<string, number>();
  #tickStartMs = 0;

  constructor(clock: Clock, sampling: LogSampling = LOG_SAMPLING_DEFAULT) {
    this.#clock = clock;
    this.#sampling = sampling;
  }

  admits(message: string): boolean {
    const { tickMs, initial, thereafter } = this.#sampling;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#tickStartMs >= tickMs || this.#counts.size >= MESSAGES_MAX) {
      this.#tickStartMs = nowMs;
      this.#counts.clear();
    }
    const count = (this.#counts.get(message) ?? 0) + 1;
    this.#counts.set(message, count);
    return count <= initial || (thereafter > 0 && (count - initial) % thereafter === 0);
  }
}

/** Control bytes would let hostile data write its own log lines or drive a terminal. */
function escapeControl(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, escapeChar);
}

function escapeChar(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** JSON escapes C0 controls by itself; DEL, C1 controls and the line separators of Unicode are left to us. */
export function escapeJsonLine(json: string): string {
  return json.replace(/[\u007f-\u009f\u2028\u2029]/g, escapeChar);
}

/** One event, one line, tabs between its parts: time, level, message, and a JSON object of the fields. */
export function formatConsoleLine(json: string): string {
  const { ts, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.keys(fields).length === 0 ? '' : `\t${escapeJsonLine(JSON.stringify(fields))}`;
  return `${String(ts)}\t${String(level)}\t${escapeControl(String(msg))}${rest}\n`;
}

/** What lines go through now; a reload puts another one in its place. */
interface LogSink {
  root(): Pino;
  level: LogLevel;
  /** Undefined when every line is printed. */
  sampler: LogSampler | undefined;
  /** Closes the files. */
  close(): void;
}

/** Shared by a logger and all its children. */
interface LogSource {
  sink: LogSink;
}

class PinoLogger implements Logger {
  readonly #source: LogSource;
  readonly #fields: LogFields;
  /** Of the sink that it was made for. */
  #sink: LogSink;
  #pino: Pino | undefined;

  constructor(source: LogSource, fields: LogFields) {
    this.#source = source;
    this.#fields = fields;
    this.#sink = source.sink;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#follow();
    if (this.#sink.level === 'debug' && this.#admits(message)) this.#out().debug(fields, message);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#follow();
    if (this.#admits(message)) this.#out().info(fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#follow();
    if (this.#admits(message)) this.#out().warn(fields, message);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#follow();
    if (this.#admits(message)) this.#out().error(fields, message);
  }

  /** Lines go through what a reload has put in place. */
  #follow(): void {
    const { sink } = this.#source;
    if (sink === this.#sink) return;
    this.#sink = sink;
    this.#pino = undefined;
  }

  #out(): Pino {
    this.#pino ??= this.#sink.root().child(this.#fields);
    return this.#pino;
  }

  #admits(message: string): boolean {
    const { sampler } = this.#sink;
    return sampler === undefined || sampler.admits(message);
  }

  child(fields: LogFields): Logger {
    return new PinoLogger(this.#source, { ...this.#fields, ...fields });
  }
}

/** New settings, their files open already. Call one of the two. */
export interface PreparedLog {
  /** This logger and all its children write with them from now on. */
  apply(): void;
  discard(): void;
}

export interface ReloadableLogger extends Logger {
  /** @throws PipelineError START_FAILED when an output cannot be opened; nothing has changed then. */
  prepare(options: LoggerOptions): PreparedLog;
}

const OWN_STREAMS: readonly string[] = ['stderr', 'stdout'];
type LogStream = ReturnType<typeof import('pino').default.destination>;

/** Where lines go: one stream a path, opened by every thread for itself and appended to. */
class LogOutput {
  readonly #files: LogStream[];
  readonly #streams: () => LogStream[];

  /** @throws PipelineError START_FAILED naming the path that cannot be opened. */
  constructor(paths: readonly string[], key: string, onFailure: (path: string, error: Error) => void) {
    // A path that is listed twice gets a line once.
    const unique = [...new Set(paths)];
    const isOwn = (path: string) => OWN_STREAMS.includes(path);
    this.#files = unique.filter((path) => !isOwn(path)).map((path) => openStream(path, key, onFailure));
    // The process's own streams are there, whenever the first line comes.
    const own = () => unique.filter(isOwn).map((path) => openStream(path, key, onFailure));
    this.#streams = once(() => [...own(), ...this.#files]);
  }

  write(line: string): void {
    for (const stream of this.#streams()) stream.write(line);
  }

  /** Of the process's own streams nothing is closed. */
  close(): void {
    for (const stream of this.#files) stream.end();
  }
}

function openStream(path: string, key: string, onFailure: (path: string, error: Error) => void): LogStream {
  const dest = path === 'stderr' ? 2 : path === 'stdout' ? 1 : path;
  try {
    const stream = loadPino().destination({ dest, sync: true, append: true, maxLength: UNWRITTEN_BYTES_MAX });
    stream.on('error', (error: Error) => onFailure(path, error));
    return stream;
  } catch (cause) {
    const message = `service::telemetry::logs::${key}: cannot open ${path}: ${(cause as Error).message}`;
    throw new PipelineError('START_FAILED', message, { permanent: true, cause });
  }
}

/**
 * Synchronous writes: lines before an exit must not be lost, and sampling keeps them few.
 *
 * @throws PipelineError START_FAILED when an output cannot be opened.
 */
export function createLogger(options: LoggerOptions, clock: Clock): ReloadableLogger {
  const source: LogSource = { sink: openSink(options, clock) };
  const logger = new PinoLogger(source, {});
  const prepare = (changed: LoggerOptions): PreparedLog => {
    const next = openSink(changed, clock);
    return {
      apply: () => {
        const old = source.sink;
        source.sink = next;
        old.close();
      },
      discard: () => next.close(),
    };
  };
  return Object.assign(logger, { prepare });
}

function openSink(options: LoggerOptions, clock: Clock): LogSink {
  const {
    outputPaths = ['stderr'],
    errorOutputPaths = ['stderr'],
    sampling = LOG_SAMPLING_DEFAULT,
  } = options;
  const failures = new LogSampler(clock, { tickMs: 10_000, initial: 1, thereafter: 0 });
  const errors = new LogOutput(errorOutputPaths, 'error_output_paths', () => undefined);
  const output = new LogOutput(outputPaths, 'output_paths', (path, { message }) => {
    const time = new Date(clock.unixMs()).toISOString();
    const text = escapeControl(`cannot write the log to ${path}: ${message}`);
    if (failures.admits(path)) errors.write(`${time}\terror\t${text}\n`);
  });
  const format = options.encoding === 'json' ? escapeJsonLine : formatConsoleLine;
  const root = once(() =>
    loadPino()(
      {
        level: options.level,
        base: options.initialFields ?? null,
        timestamp: () => `,"ts":"${new Date(clock.unixMs()).toISOString()}"`,
        formatters: { level: (level) => ({ level }) },
      },
      { write: (json: string) => output.write(format(json)) },
    ),
  );
  return {
    root,
    level: options.level,
    sampler: sampling === 'off' ? undefined : new LogSampler(clock, sampling),
    close: () => {
      output.close();
      errors.close();
    },
  };
}
