/** The engine and the sinks of a scenario, as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 60_000;
const POLL_MS = 100;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** @throws Error when something already listens there: it would be measured in place of what is to be started. */
export async function assertPortsFree(ports: readonly number[]): Promise<void> {
  for (const port of ports)
    if (await canConnect(port)) throw new Error(`port ${port} is in use by another program`);
}

export class ManagedProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #exited: Promise<void>;
  #hasExited = false;

  /** Starts `program args...`, Node unless said; its output goes to `<dir>/<name>.log`. */
  constructor(
    name: string,
    args: readonly string[],
    dir: string,
    environment: Record<string, string> = {},
    program = process.execPath,
  ) {
    mkdirSync(dir, { recursive: true });
    this.#name = name;
    this.#logPath = join(dir, `${name}.log`);
    const log = openSync(this.#logPath, 'a');
    this.#child = spawn(program, [...args], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...environment },
    });
    closeSync(log);
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => {
        this.#hasExited = true;
        resolve();
      });
    });
  }

  get pid(): number {
    const pid = this.#child.pid;
    if (pid === undefined) throw new Error(`${this.#name} did not start`);
    return pid;
  }

  /** Waits until all ports take connections. */
  async ready(ports: readonly number[]): Promise<void> {
    const deadlineMs = Date.now() + START_TIMEOUT_MS;
    for (const port of ports) {
      while (!(await canConnect(port))) {
        if (this.#hasExited) throw new Error(`${this.#name} ended at its start:\n${this.#logEnd()}`);
        if (Date.now() > deadlineMs)
          throw new Error(`${this.#name} does not listen on port ${port}:\n${this.#logEnd()}`);
        await sleep(POLL_MS);
      }
    }
  }

  /** @throws Error when it ended by itself: figures of a crashed engine are not figures. */
  assertAlive(): void {
    if (this.#hasExited) throw new Error(`${this.#name} ended during the load:\n${this.#logEnd()}`);
  }

  /** SIGTERM, and SIGKILL when that was not enough. */
  async stop(): Promise<void> {
    if (this.#hasExited) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Waits for its end. @throws Error with the end of its output when it failed. */
  async success(): Promise<void> {
    await this.#exited;
    if (this.#child.exitCode !== 0) throw new Error(`${this.#name} failed:\n${this.#logEnd()}`);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #logEnd(): string {
    return readFileSync(this.#logPath, 'utf8').split('\n').slice(-20).join('\n');
  }
}
