/**
 * One configuration file run twice, by the Collector and by millrace, each on ports of its own, between the same sender and
 * the same kind of sink. The sender and the sinks are Collectors, too: its exporters send to both, and the receivers of
 * another one take what either sends on and write it to a file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Signal } from '../../component/signal.ts';
import { EngineProcess, freePort, until } from '../engine-process.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile } from './collector-json.ts';
import { CollectorProcess, type Programs } from './programs.ts';
import type { Row } from './stored-engine.ts';

export const SIDES = ['collector', 'millrace'] as const;
export type Side = (typeof SIDES)[number];
export const SINKS = ['backend', 'archive'] as const;
export type Sink = (typeof SINKS)[number];

export interface PairCase {
  /** File in configs/examples without `.yaml`. */
  name: string;
  /** Variables beside the addresses. */
  env?: Record<string, string>;
  /** What a client of this file has to configure, for the Collector's exporters of each protocol. */
  client?: Partial<Record<'http' | 'grpc', Record<string, unknown>>>;
  /** What the sinks want from whoever sends to them; keys of both protocols. */
  sink?: Partial<Record<Sink, Record<string, unknown>>>;
  /** Extensions for the sender and the sinks. */
  extensions?: Record<string, unknown>;
  /** Sinks that this file sends to. */
  sinks: readonly Sink[];
}

interface Ports {
  grpc: number;
  http: number;
}

/** Where the two programs take OTLP. */
export type SidePorts = Ports & { metrics: number; extra: number };

const newPorts = async (): Promise<Ports> => ({ grpc: await freePort(), http: await freePort() });

/** A sink writes one file for each way in, by side and name. */
export class ConfigPair {
  readonly #case: PairCase;
  readonly #directory: string;
  readonly #sinkPorts: ReadonlyMap<string, Ports>;
  readonly #files = new Map<string, CollectorFile>();
  readonly #items = new Map<string, Row[]>();
  readonly ports: Readonly<Record<Side, SidePorts>>;
  /** Where the sender takes plain OTLP/HTTP and hands it to both sides over both protocols. */
  readonly senderPort: number;
  #around: CollectorProcess | undefined;
  #collector: CollectorProcess | undefined;
  #engine: EngineProcess | undefined;

  private constructor(
    pairCase: PairCase,
    directory: string,
    sinkPorts: ReadonlyMap<string, Ports>,
    ports: Readonly<Record<Side, SidePorts>>,
    senderPort: number,
  ) {
    this.#case = pairCase;
    this.#directory = directory;
    this.#sinkPorts = sinkPorts;
    this.ports = ports;
    this.senderPort = senderPort;
    for (const key of sinkPorts.keys()) {
      this.#files.set(key, new CollectorFile(this.#fileOf(key)));
      this.#items.set(key, []);
    }
  }

  /** @param directory of the case alone; the caller removes it. @throws Error with the log of whoever did not start. */
  static async start(
    programs: Programs,
    pairCase: PairCase,
    file: string,
    directory: string,
  ): Promise<ConfigPair> {
    const sinkPorts = new Map<string, Ports>();
    for (const side of SIDES) {
      for (const sink of pairCase.sinks) sinkPorts.set(`${side}-${sink}`, await newPorts());
    }
    const sidePorts = async () => ({
      ...(await newPorts()),
      metrics: await freePort(),
      extra: await freePort(),
    });
    const ports = { collector: await sidePorts(), millrace: await sidePorts() };
    const pair = new ConfigPair(pairCase, directory, sinkPorts, ports, await freePort());
    try {
      const started = await Promise.allSettled([
        CollectorProcess.start(programs, pair.#aroundConfig()).then((around) => {
          pair.#around = around;
        }),
        CollectorProcess.startFile(programs, file, await pair.#environment('collector')).then((collector) => {
          pair.#collector = collector;
        }),
        EngineProcess.start({
          config: '',
          configFile: file,
          dataDir: join(directory, 'data'),
          env: await pair.#environment('millrace'),
        }).then((engine) => {
          pair.#engine = engine;
        }),
      ]);
      for (const each of started) if (each.status === 'rejected') throw each.reason;
      return pair;
    } catch (error) {
      await pair.stop();
      throw error;
    }
  }

  /** Everything that the three wrote to stderr so far. */
  get logs(): { millrace: string; collector: string; around: string } {
    return {
      millrace: this.#engine?.log ?? '',
      collector: this.#collector?.log ?? '',
      around: this.#around?.log ?? '',
    };
  }

  async #environment(side: Side): Promise<Record<string, string>> {
    const { grpc, http, metrics, extra } = this.ports[side];
    const sinks = this.#case.sinks.flatMap((sink) => {
      const to = this.#sinkPorts.get(`${side}-${sink}`)!;
      const name = sink.toUpperCase();
      const scheme = this.#case.sink?.[sink]?.tls === undefined ? 'http' : 'https';
      return [
        [`${name}_GRPC_ENDPOINT`, `127.0.0.1:${to.grpc}`],
        [`${name}_HTTP_ENDPOINT`, `${scheme}://127.0.0.1:${to.http}`],
      ];
    });
    return {
      OTLP_GRPC_ENDPOINT: `127.0.0.1:${grpc}`,
      OTLP_HTTP_ENDPOINT: `127.0.0.1:${http}`,
      EXTRA_HTTP_ENDPOINT: `127.0.0.1:${extra}`,
      METRICS_PORT: String(metrics),
      HEALTH_ENDPOINT: `127.0.0.1:${await freePort()}`,
      ZPAGES_ENDPOINT: `127.0.0.1:${await freePort()}`,
      STATE: join(this.#directory, side),
      ...Object.fromEntries(sinks),
      ...this.#case.env,
    };
  }

  #fileOf(key: string): string {
    return join(this.#directory, `${key}.json`);
  }

  /** The sender and all sinks of the case in one Collector. */
  #aroundConfig(): unknown {
    const { client, sink = {}, extensions = {} } = this.#case;
    const keys = [...this.#sinkPorts.keys()];
    const secured = (key: string) => sink[key.slice(key.indexOf('-') + 1) as Sink];
    const receivers = keys.map((key) => {
      const { grpc, http } = this.#sinkPorts.get(key)!;
      const endpoint = (port: number) => ({
        endpoint: `127.0.0.1:${port}`,
        include_metadata: true,
        ...secured(key),
      });
      return [`otlp/${key}`, { protocols: { grpc: endpoint(grpc), http: endpoint(http) } }];
    });
    const shared = { sending_queue: { enabled: false }, tls: { insecure: true } };
    const scheme = client?.http?.tls === undefined ? 'http' : 'https';
    const exporters = SIDES.flatMap((side) => [
      [`otlp_grpc/${side}`, { endpoint: `127.0.0.1:${this.ports[side].grpc}`, ...shared, ...client?.grpc }],
      [
        `otlp_http/${side}`,
        { endpoint: `${scheme}://127.0.0.1:${this.ports[side].http}`, ...shared, ...client?.http },
      ],
    ]);
    const sender = exporters.map(([id]) => id as string);
    const signals: readonly Signal[] = ['traces', 'logs', 'metrics'];
    return {
      receivers: {
        'otlp/sender': { protocols: { http: { endpoint: `127.0.0.1:${this.senderPort}` } } },
        ...Object.fromEntries(receivers),
      },
      exporters: {
        ...Object.fromEntries(exporters),
        ...Object.fromEntries(
          keys.map((key) => [`file/${key}`, { path: this.#fileOf(key), flush_interval: '50ms' }]),
        ),
      },
      // What both programs say in headers becomes a part of the items, so that it is compared as well.
      processors: {
        attributes: {
          actions: ['x-scope-orgid', 'x-origin', 'x-stage', 'x-from'].map((header) => ({
            key: `seen.${header}`,
            from_context: `metadata.${header}`,
            action: 'upsert',
          })),
        },
      },
      extensions,
      service: {
        extensions: Object.keys(extensions),
        telemetry: { metrics: { level: 'none' } },
        pipelines: Object.fromEntries(
          signals.flatMap((signal) => [
            [`${signal}/sender`, { receivers: ['otlp/sender'], exporters: sender }],
            ...keys.map((key) => [
              `${signal}/${key}`,
              { receivers: [`otlp/${key}`], processors: ['attributes'], exporters: [`file/${key}`] },
            ]),
          ]),
        ),
      },
    };
  }

  /** Every item that this side has sent to the sink so far. */
  items(side: Side, sink: Sink): readonly Row[] {
    const key = `${side}-${sink}`;
    const items = this.#items.get(key)!;
    for (const { signal, bytes } of this.#files.get(key)!.readNew()) {
      for (const item of flattenRequest(signal, bytes)) items.push({ signal, ...item });
    }
    return items;
  }

  /** What an exporter `file` of the case itself wrote below `STATE`. */
  ownFile(side: Side, name: string): readonly Row[] {
    const path = join(this.#directory, side, name);
    readFileSync(path);
    const written = new CollectorFile(path).readNew();
    return written.flatMap(({ signal, bytes }) =>
      flattenRequest(signal, bytes).map((item) => ({ signal, ...item })),
    );
  }

  /** Waits until both sides have sent equally much and nothing comes any more. */
  async settle(quietMs = 600): Promise<void> {
    let last = '';
    let sinceMs = Date.now();
    await until(`equal counts in ${this.#case.name}`, () => {
      const counts = SIDES.map((side) => this.#case.sinks.map((sink) => this.items(side, sink).length));
      const text = JSON.stringify(counts);
      if (text !== last) {
        last = text;
        sinceMs = Date.now();
      }
      const isEqual = JSON.stringify(counts[0]) === JSON.stringify(counts[1]);
      return isEqual && counts[0]!.every((count) => count > 0) && Date.now() - sinceMs >= quietMs;
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${last}\n${JSON.stringify(this.logs, undefined, 2)}`);
    });
  }

  /** Ends the two programs first, so that what they still hold arrives in the sinks. */
  async stop(): Promise<void> {
    await Promise.all([this.#collector?.stop(), this.#engine?.kill('SIGTERM')]);
    await this.#around?.stop();
  }
}

/**
 * Compares without regard to the order of items, and of attributes: where one is deleted, the Collector fills the gap with the
 * last one, and attributes are a map. Tables of thousands of long items make `deepEqual` take minutes and megabytes to tell a
 * difference: this names the first items that only one side has.
 */
export function assertSameItems(actual: readonly Row[], expected: readonly Row[], what: string): void {
  const counts = new Map<string, number>();
  for (const item of expected) count(counts, textOf(item), 1);
  for (const item of actual) count(counts, textOf(item), -1);
  const differing = [...counts].filter(([, surplus]) => surplus !== 0);
  if (differing.length === 0) return;
  const shown = differing
    .toSorted(([a], [b]) => a.length - b.length)
    .slice(0, 6)
    .map(
      ([text, surplus]) =>
        `${surplus > 0 ? 'only Collector' : 'only millrace'} ${Math.abs(surplus)} x ${text.slice(0, 3000)}`,
    );
  throw new Error(
    `${what}: ${differing.length} items differ, ${actual.length} against ${expected.length}\n${shown.join('\n')}`,
  );
}

function count(counts: Map<string, number>, key: string, step: number): void {
  counts.set(key, (counts.get(key) ?? 0) + step);
}

/** Text of an item with its attributes by key; equal keys stay in their order. */
function textOf(item: Row): string {
  return JSON.stringify(item, (key, value) =>
    key === 'attributes'
      ? (value as { key: string }[]).toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      : value,
  );
}
