/** Processor time and memory of a process and its children, from /proc: the engine is not asked about itself. */
import { readdirSync, readFileSync } from 'node:fs';

/** Kernel clock ticks a second; fixed at 100 for user space on Linux. */
const TICKS_PER_SECOND = 100;

export interface ProcessSample {
  readonly pid: number;
  readonly parentPid: number;
  readonly command: string;
  readonly cpuSeconds: number;
  readonly anonymousBytes: number;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process ended between listing and reading.
    return undefined;
  }
}

/** Reads `/proc/<pid>/stat`; the name may hold spaces and parentheses, so fields count from its end. */
export function parseStat(text: string): { parentPid: number; cpuTicks: number } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parentPid: Number(fields[1]), cpuTicks: Number(fields[11]) + Number(fields[12]) };
}

function readSample(pid: number): ProcessSample | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const status = readText(`/proc/${pid}/status`);
  if (stat === undefined || status === undefined) return undefined;
  const { parentPid, cpuTicks } = parseStat(stat);
  const anonymousKib = Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  const command = (readText(`/proc/${pid}/cmdline`) ?? '')
    .split('\0')
    .filter((part) => part !== '')
    .join(' ');
  return {
    pid,
    parentPid,
    command,
    cpuSeconds: cpuTicks / TICKS_PER_SECOND,
    anonymousBytes: anonymousKib * 1024,
  };
}

/** The process and everything below it, itself first. */
export function sampleTree(pid: number): ProcessSample[] {
  const all = new Map<number, ProcessSample>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const sample = readSample(Number(name));
    if (sample !== undefined) all.set(sample.pid, sample);
  }
  const tree: ProcessSample[] = [];
  const queue = [pid];
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    const sample = all.get(parent);
    if (sample !== undefined) tree.push(sample);
    for (const child of all.values()) if (child.parentPid === parent) queue.push(child.pid);
  }
  return tree;
}

export interface ProcessUse {
  readonly pid: number;
  readonly command: string;
  readonly cpuSeconds: number;
  readonly anonymousBytesMax: number;
  readonly anonymousBytesAverage: number;
}

interface Tracked {
  command: string;
  cpuStart: number;
  cpuEnd: number;
  bytesMax: number;
  bytesSum: number;
  samples: number;
}

/** Follows a process tree from `begin` on. A child that ends keeps what was last seen of it. */
export class ProcessWatch {
  readonly #pid: number;
  readonly #tracked = new Map<number, Tracked>();
  #memoryMax = 0;
  #memorySum = 0;
  #samples = 0;

  constructor(pid: number) {
    this.#pid = pid;
    if (sampleTree(pid).length === 0) throw new RangeError(`--pid ${pid}: no such process`);
  }

  /** Processor time counts from here; children born later count from zero. */
  begin(): void {
    this.#tracked.clear();
    this.#memoryMax = 0;
    this.#memorySum = 0;
    this.#samples = 0;
    for (const sample of sampleTree(this.#pid)) this.#track(sample, sample.cpuSeconds);
  }

  sample(): void {
    let total = 0;
    for (const sample of sampleTree(this.#pid)) {
      total += sample.anonymousBytes;
      this.#track(sample, 0);
    }
    this.#samples += 1;
    this.#memorySum += total;
    this.#memoryMax = Math.max(this.#memoryMax, total);
  }

  get processes(): ProcessUse[] {
    return [...this.#tracked].map(([pid, tracked]) => ({
      pid,
      command: tracked.command,
      cpuSeconds: tracked.cpuEnd - tracked.cpuStart,
      anonymousBytesMax: tracked.bytesMax,
      anonymousBytesAverage: tracked.bytesSum / tracked.samples,
    }));
  }

  /** Of the whole tree since `begin`. */
  get cpuSeconds(): number {
    return this.processes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  }

  /** Of the whole tree at one moment. */
  get anonymousBytesMax(): number {
    return this.#memoryMax;
  }

  get anonymousBytesAverage(): number {
    return this.#samples === 0 ? 0 : this.#memorySum / this.#samples;
  }

  #track(sample: ProcessSample, cpuStart: number): void {
    const tracked = this.#tracked.get(sample.pid) ?? {
      command: sample.command,
      cpuStart,
      cpuEnd: 0,
      bytesMax: 0,
      bytesSum: 0,
      samples: 0,
    };
    tracked.cpuEnd = sample.cpuSeconds;
    tracked.bytesMax = Math.max(tracked.bytesMax, sample.anonymousBytes);
    tracked.bytesSum += sample.anonymousBytes;
    tracked.samples += 1;
    this.#tracked.set(sample.pid, tracked);
  }
}
