/** A server from elsewhere in the foreground of configs/scripts/services.sh, in a directory that outlives its kills. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from '../engine-process.ts';
import { CHECKOUT } from '../source-tree.ts';

const SCRIPT = join(CHECKOUT, 'configs', 'scripts', 'services.sh');

export interface ServiceStart {
  /** Name in the script, and in messages. */
  name: string;
  directory: string;
  port: number;
  /** Behind directory and port. */
  args?: readonly string[];
  env?: Record<string, string>;
  /** Whether it serves by now; asked about 50 times a second. */
  isReady: (process: ServiceProcess) => boolean | Promise<boolean>;
  timeoutMs?: number;
}

export class ServiceProcess {
  readonly child: ChildProcess;
  /** Everything it wrote so far. */
  log = '';
  readonly #closed: Promise<unknown>;

  private constructor({ name, directory, port, args = [], env }: ServiceStart) {
    this.child = spawn('bash', [SCRIPT, 'run', name, directory, String(port), ...args], {
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

  /** @throws Error with what it wrote when it ends, or is not ready in time. */
  static async start(start: ServiceStart): Promise<ServiceProcess> {
    const service = new ServiceProcess(start);
    try {
      await until(
        `${start.name} to serve`,
        async () => service.hasExited || (await start.isReady(service)),
        start.timeoutMs ?? 60_000,
      );
      if (service.hasExited) throw new Error(`${start.name} ended at start`);
      return service;
    } catch (error) {
      await service.kill();
      throw new Error(`${(error as Error).message}\n${service.log}`);
    }
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Sends a signal and waits for its end. The script has become the server by then: no process is left behind. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.hasExited) this.child.kill(signal);
    await this.#closed;
  }
}
