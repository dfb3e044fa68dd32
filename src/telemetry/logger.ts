/** Structured logs by pino to stderr, rate-limited per message like the Collector's sampling. */
import pino from 'pino';
import type { LogFields, Logger } from '../component/settings.ts';
import type { Clock } from '../stdx/clock.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  level: LogLevel;
  encoding: 'console' | 'json';
}

const TICK_MS = 10_000;
const INITIAL = 10;
const THEREAFTER = 100;
/** Messages are literals of the code, so this bound is only reached by a bug. */
const MESSAGES_MAX = 1_000;

/** Lets the first ten of a message through in ten seconds, then one of a hundred. */
export class LogSampler {
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();
  #tickStartMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  admits(message: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#tickStartMs >= TICK_MS || this.#counts.size >= MESSAGES_MAX) {
      this.#tickStartMs = nowMs;
      this.#counts.clear();
    }
    const count = (this.#counts.get(message) ?? 0) + 1;
    this.#counts.set(message, count);
    return count <= INITIAL || (count - INITIAL) % THEREAFTER === 0;
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

/** One event, one line: `2026-01-01T00:00:00.000Z  info  message  {"field": ...}`. */
export function formatConsoleLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.keys(fields).length === 0 ? '' : `\t${escapeJsonLine(JSON.stringify(fields))}`;
  return `${String(time)}\t${String(level)}\t${escapeControl(String(msg))}${rest}\n`;
}

class PinoLogger implements Logger {
  readonly #pino: pino.Logger;
  readonly #sampler: LogSampler;

  constructor(instance: pino.Logger, sampler: LogSampler) {
    this.#pino = instance;
    this.#sampler = sampler;
  }

  debug(message: string, fields: LogFields = {}): void {
    if (this.#pino.isLevelEnabled('debug') && this.#sampler.admits(message))
      this.#pino.debug(fields, message);
  }

  info(message: string, fields: LogFields = {}): void {
    if (this.#sampler.admits(message)) this.#pino.info(fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    if (this.#sampler.admits(message)) this.#pino.warn(fields, message);
  }

  error(message: string, fields: LogFields = {}): void {
    if (this.#sampler.admits(message)) this.#pino.error(fields, message);
  }

  child(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(fields), this.#sampler);
  }
}

/** Synchronous writes to stderr: lines before an exit must not be lost, and sampling keeps them few. */
export function createLogger(options: LoggerOptions, clock: Clock): Logger {
  const stderr = pino.destination({ dest: 2, sync: true });
  const format = options.encoding === 'json' ? escapeJsonLine : formatConsoleLine;
  const destination = { write: (json: string) => stderr.write(format(json)) };
  const instance = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.unixMs()).toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    destination,
  );
  return new PinoLogger(instance, new LogSampler(clock));
}
