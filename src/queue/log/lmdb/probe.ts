/** Scans segments in a child process, so that damage ends the child and not the engine. */
import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ScanJob, ScanResult } from './scan-segment.ts';

export interface ProbeOptions {
  /** Longest scan of one segment, ms; by default a minute and 10 MB/s. */
  timeoutMs?: number;
}

const BASE_TIMEOUT_MS = 60_000;
const SLOWEST_BYTES_PER_MS = 10_000;

/** One child for many scans; a new one after each that died. */
export class Probe {
  readonly #options: ProbeOptions;
  #child: ChildProcess | undefined;

  constructor(options: ProbeOptions = {}) {
    this.#options = options;
  }

  /** Never rejects for what the segment does: a child that dies or hangs is a `fault` of the segment. */
  async scan(job: ScanJob, sizeBytes: number): Promise<ScanResult> {
    const child = this.#child ?? startChild();
    this.#child = child;
    const timeoutMs = this.#options.timeoutMs ?? BASE_TIMEOUT_MS + sizeBytes / SLOWEST_BYTES_PER_MS;
    const result = await runJob(child, job, timeoutMs);
    if (child.exitCode !== null || child.signalCode !== null || child.killed) this.#child = undefined;
    return result;
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

function startChild(): ChildProcess {
  // Sources run as .ts and the build as .js; the child is of the same kind as this file.
  const entry = new URL(`./probe-child${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
  return fork(fileURLToPath(entry), [], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
}

function runJob(child: ChildProcess, job: ScanJob, timeoutMs: number): Promise<ScanResult> {
  return new Promise((resolve) => {
    const finish = (result: ScanResult): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      // A kill can still be reported behind the result.
      child.on('error', () => undefined);
      resolve(result);
    };
    const condemn = (fault: string): void => finish({ records: 0, items: 0, damagedRecords: 0, fault });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      condemn(`scan took longer than ${Math.round(timeoutMs)} ms`);
    }, timeoutMs);
    child.once('message', (result) => finish(result as ScanResult));
    child.once('error', (error) => condemn(`scan failed: ${error.message}`));
    child.once('exit', (code, signal) => condemn(`scan died: ${signal ?? `exit code ${code}`}`));
    child.send(job);
  });
}
