/** A real HAProxy with a configuration given as text. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../engine-process.ts';
import { installProgram } from './programs.ts';

export class HaproxyServer {
  readonly child: ChildProcess;
  /** Everything it wrote so far. */
  log = '';
  readonly #directory: string;
  readonly #closed: Promise<unknown>;

  private constructor(program: string, config: string, directory: string, env: Record<string, string>) {
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(file, config);
    this.#directory = directory;
    // In the foreground, in one process.
    this.child = spawn(program, ['-db', '-f', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        this.log += chunk.toString();
      });
    }
    this.#closed = once(this.child, 'close');
  }

  /**
   * @param port one that the configuration listens on; `start` returns when it takes connections.
   * @param env what the configuration reads as `"${NAME}"`.
   * @throws Error with what it wrote.
   */
  static async start(config: string, port: number, env: Record<string, string> = {}): Promise<HaproxyServer> {
    const program = await installProgram('haproxy');
    const directory = mkdtempSync(join(tmpdir(), 'millrace-haproxy-'));
    const server = new HaproxyServer(program, config, directory, env);
    try {
      await until('HAProxy to listen', async () => server.hasExited || (await takesConnections(port)));
      if (server.hasExited) throw new Error('HAProxy ended at start');
      return server;
    } catch (error) {
      await server.stop();
      throw new Error(`${(error as Error).message}\n${server.log}`);
    }
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async stop(): Promise<void> {
    if (!this.hasExited) this.child.kill('SIGKILL');
    await this.#closed;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
