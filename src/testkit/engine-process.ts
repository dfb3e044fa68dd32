/** The real program as a child process, on ports of its own, for end-to-end tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOADED_ROOT } from './source-tree.ts';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const MAIN = join(LOADED_ROOT, 'src', `main${EXTENSION}`);
const READY = 'millrace is ready';
const PIPE_WAIT_MS = 1000;
/** A stop has eight seconds; the rest is what a busy machine may take. */
export const STOP_WITHIN_MS = 20_000;

/** Engines that run. A test that fails before it has arranged for their end leaves them here. */
const running = new Set<ChildProcess>();

/** Nobody may be left behind: an engine would go on for ever, on its ports. */
function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

function endWithThisProcess(child: ChildProcess): void {
  if (running.size === 0) {
    process.once('exit', endAll);
    // What the runner sends to a file that takes too long; without a listener nothing runs at exit.
    process.once('SIGTERM', endBySignal);
  }
  running.add(child);
  child.once('exit', () => {
    running.delete(child);
    if (running.size > 0) return;
    process.removeListener('exit', endAll);
    process.removeListener('SIGTERM', endBySignal);
  });
}

function endBySignal(): never {
  process.exit(143);
}

/** Below the ports that systems give to connections, which take whatever port was free a moment ago. */
const PORT_MIN = 10_000;
/** Processes of tests that run beside each other have blocks of their own, most of the time. */
const BLOCK_PORTS = 100;
const BLOCKS = 100;
/** The first port of a block shows that it is taken, as long as the process lives that listens on it. */
let ownBlock: Promise<number> | undefined;
let portsGiven = Math.floor(Math.random() * BLOCK_PORTS);

/** Process ids alone would give the same block to two of them now and then, and an engine's port between its starts away. */
async function takeBlock(): Promise<number> {
  for (let block = process.pid % BLOCKS; ; block = (block + 1) % BLOCKS) {
    const firstPort = PORT_MIN + block * BLOCK_PORTS;
    const server = await listenOn(firstPort);
    server?.unref();
    if (server !== undefined) return firstPort;
  }
}

/** A port that was free a moment ago, and is not given to somebody else soon. */
export async function freePort(): Promise<number> {
  ownBlock ??= takeBlock();
  const firstPort = await ownBlock;
  for (;;) {
    const port = firstPort + 1 + (portsGiven++ % (BLOCK_PORTS - 1));
    if (await isFree(port)) return port;
  }
}

/** Undefined when somebody else listens there. */
function listenOn(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

export async function isFree(port: number): Promise<boolean> {
  const server = await listenOn(port);
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

export interface EnginePorts {
  http: number;
  grpc: number;
  metrics: number;
}

export async function freePorts(): Promise<EnginePorts> {
  return { http: await freePort(), grpc: await freePort(), metrics: await freePort() };
}

/** A configuration with one otlp receiver on these ports; `exporters` and `extensions` are YAML flow maps. */
export function engineConfig(
  ports: EnginePorts,
  exporters: Record<string, unknown>,
  options: { signals?: readonly string[]; extensions?: Record<string, unknown> } = {},
): string {
  const ids = Object.keys(exporters);
  const signals = options.signals ?? ['traces', 'logs', 'metrics'];
  return JSON.stringify({
    receivers: {
      otlp: {
        protocols: {
          http: { endpoint: `127.0.0.1:${ports.http}` },
          grpc: { endpoint: `127.0.0.1:${ports.grpc}` },
        },
      },
    },
    exporters,
    extensions: options.extensions ?? {},
    service: {
      extensions: Object.keys(options.extensions ?? {}),
      telemetry: {
        metrics: {
          readers: [{ pull: { exporter: { prometheus: { host: '127.0.0.1', port: ports.metrics } } } }],
        },
      },
      pipelines: Object.fromEntries(
        signals.map((signal) => [signal, { receivers: ['otlp'], exporters: ids }]),
      ),
    },
  });
}

export interface EngineStart {
  config: string;
  /** Instead of `config`, for tests that change the file. */
  configFile?: string;
  dataDir: string;
  failpoints?: string;
  flags?: readonly string[];
  env?: Record<string, string>;
}

export class EngineProcess {
  readonly child: ChildProcess;
  /** Everything the engine wrote to stderr so far. */
  log = '';
  readonly #exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(start: EngineStart) {
    const source = start.configFile ?? `yaml:${start.config}`;
    const args = ['--config', source, '--data-dir', start.dataDir, ...(start.flags ?? [])];
    this.child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...start.env, MILLRACE_FAILPOINTS: start.failpoints ?? '' },
    });
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.log += chunk.toString();
    });
    const closed = once(this.child, 'close');
    this.#exit = once(this.child, 'exit').then(async ([code, signal]) => {
      // What it wrote last may still be on its way; what it left behind may hold the pipe open.
      await Promise.race([closed, sleep(PIPE_WAIT_MS, undefined, { ref: false })]);
      return { code, signal };
    });
    endWithThisProcess(this.child);
    // An engine keeps the process of the tests alive only while somebody waits for it.
    for (const held of [this.child, this.child.stdout, this.child.stderr] as { unref?(): void }[])
      held.unref?.();
  }

  /** Starts the program without waiting for anything: for starts that are expected to fail. */
  static spawn(start: EngineStart): EngineProcess {
    return new EngineProcess(start);
  }

  /** Starts the program and waits until it is ready; rejects with its log when it ends before that. */
  static async start(start: EngineStart, timeoutMs = 60_000): Promise<EngineProcess> {
    const engine = new EngineProcess(start);
    const deadline = Date.now() + timeoutMs;
    while (!engine.log.includes(READY)) {
      if (engine.hasExited) throw new Error(`the engine ended before it was ready:\n${engine.log}`);
      if (Date.now() > deadline) {
        engine.child.kill('SIGKILL');
        throw new Error(`the engine was not ready in ${timeoutMs} ms:\n${engine.log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return engine;
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async exit(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.ref();
    return this.#exit;
  }

  async kill(
    signal: NodeJS.Signals = 'SIGKILL',
  ): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill(signal);
    return this.exit();
  }

  /** Waits for a line of the log: what was written before an answer may be read behind it. */
  async said(pattern: RegExp): Promise<void> {
    await until(`${pattern} in the log:\n${this.log}`, () => pattern.test(this.log));
  }

  async metrics(port: number): Promise<string> {
    // Not `fetch`: loading it takes a process longer than most of these tests compute.
    const outgoing = get({ host: '127.0.0.1', port, path: '/metrics', agent: false });
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return text(response);
  }
}

/** Sum of a metric's series whose labels contain all of `labels`; 0 when there is none. */
export function metricSum(text: string, name: string, labels: readonly string[] = []): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

const POLL_MS = 20;
/** A condition that asks somebody is asked less often the longer it takes: a scrape is work for every thread of the engine. */
const POLL_MS_MAX = 80;
const POLL_GROWTH = 1.2;

/**
 * Polls until the condition holds; how long it may take says nothing about the engine, the machine may be busy.
 * @throws Error naming what was waited for.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let pollMs = POLL_MS; ; ) {
    const answer = condition();
    if (await answer) return;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    if (answer instanceof Promise) pollMs = Math.min(pollMs * POLL_GROWTH, POLL_MS_MAX);
  }
}
