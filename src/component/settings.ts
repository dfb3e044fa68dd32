import type { Clock } from '../stdx/clock.ts';
import type { ClientAuthenticator } from './auth.ts';
import type { Component } from './component.ts';
import type { EngineView } from './status.ts';

export type LogFields = Record<string, unknown>;

/** Structured logger; never called per item, rate-limited per message by its implementation. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export type Labels = Readonly<Record<string, string>>;

/** Monotonic sum. Add once per batch. */
export interface Counter {
  add(value: number): void;
}

export interface Gauge {
  set(value: number): void;
}

/** HDR latency of one stage, in microseconds. Record once per request or batch. */
export interface LatencyRecorder {
  record(latencyUs: number): void;
}

/** Counts of values in the buckets of the metric's table entry. Record once per request or batch. */
export interface Histogram {
  record(value: number): void;
}

/** Series of this thread. Asking twice for the same name and labels gives the same series. */
export interface Meter {
  counter(name: string, labels?: Labels): Counter;
  gauge(name: string, labels?: Labels): Gauge;
  latency(stage: string, labels?: Labels): LatencyRecorder;
  histogram(name: string, labels?: Labels): Histogram;
}

export type SpanAttributes = Readonly<Record<string, string | number>>;

/** A span of the engine's own work that is being measured. */
export interface ActiveSpan {
  /** Once. An error text makes the span's status an error; it must hold no secret. */
  end(attributes: SpanAttributes, error?: string): void;
}

/** What a span is about; the Collector's words for it are attributes of the span's scope. */
export interface SpanSource {
  name: string;
  kind: 'receiver' | 'exporter';
  id: string;
  signal?: string;
}

/** Spans of this thread. Start one for a request or a batch, never for an item. */
export interface Tracer {
  /** @param parent `traceparent` header of who caused the work. @returns undefined for what is not sampled. */
  start(source: SpanSource, parent?: string): ActiveSpan | undefined;
}

/** What the engine hands to every component. */
export interface ComponentSettings {
  /** Full component id as the user wrote it, e.g. `otlp/2`. */
  id: string;
  logger: Logger;
  meter: Meter;
  clock: Clock;
  /** Receivers only. */
  tracer?: Tracer;
  /** Directory of the engine's own data (`--data-dir`); extensions may keep a folder of their own there. */
  dataDir?: string;
  /** Exporters with a durable log: a directory of this exporter and signal that outlives the process; made when needed. */
  stateDir?: string;
  /** On the main thread: the running extension of this id. A reload may exchange it, so do not keep it. */
  findExtension?(id: string): Component | undefined;
  /** Exporters and receivers: see component/auth.ts. A reload may exchange it for receivers: ask for each connection. */
  findClientAuth?(id: string): Promise<ClientAuthenticator | undefined>;
  /** Extensions only: what the engine tells about itself. */
  engine?: EngineView;
}
