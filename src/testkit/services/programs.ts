/** Programs from elsewhere, got by configs/scripts/services.sh; the Go Collector and telemetrygen as child processes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../engine-process.ts';
import { CHECKOUT } from '../source-tree.ts';

const SCRIPT = join(CHECKOUT, 'configs', 'scripts', 'services.sh');
const READY = 'Everything is ready';
const run = promisify(execFile);

export interface Programs {
  otelcol: string;
  telemetrygen: string;
  h2spec: string;
}

/** The Collector, its generator and h2spec; see `installProgram`. */
export async function installPrograms(): Promise<Programs> {
  const paths = await install(['otelcol', 'telemetrygen', 'h2spec']);
  return { otelcol: paths.otelcol!, telemetrygen: paths.telemetrygen!, h2spec: paths.h2spec! };
}

/**
 * Gets a program when it is missing, which takes up to a few minutes the first time.
 *
 * @param name as configs/scripts/services.sh lists it.
 * @returns its path.
 * @throws Error when the script fails, which has then said why on stderr.
 */
export async function installProgram(name: string): Promise<string> {
  return (await install([name]))[name]!;
}

async function install(names: readonly string[]): Promise<Record<string, string>> {
  const child = spawn('bash', [SCRIPT, 'install', ...names], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`services.sh install ${names.join(' ')} ended with ${code}`);
  const paths = Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split('=')),
  );
  return paths;
}

/** Runs telemetrygen to its end. @throws Error with its output when it fails. */
export async function runTelemetrygen(programs: Programs, args: readonly string[]): Promise<void> {
  await run(programs.telemetrygen, [...args, '--otlp-insecure'], { timeout: 60_000 });
}

/** The Collector with a configuration given as an object or in a file. */
export class CollectorProcess {
  readonly child: ChildProcess;
  /** Everything it wrote to stderr so far. */
  log = '';

  private constructor(
    programs: Programs,
    source: string,
    env: Record<string, string>,
    flags: readonly string[],
  ) {
    this.child = spawn(programs.otelcol, ['--config', source, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.log += chunk.toString();
    });
  }

  /** @throws Error with its log when it is not ready in time. */
  static async start(
    programs: Programs,
    config: unknown,
    flags: readonly string[] = [],
  ): Promise<CollectorProcess> {
    return CollectorProcess.startFile(programs, `yaml:${JSON.stringify(config)}`, {}, flags);
  }

  /** The same with any `--config` source, a file for example. */
  static async startFile(
    programs: Programs,
    source: string,
    env: Record<string, string> = {},
    flags: readonly string[] = [],
  ): Promise<CollectorProcess> {
    const collector = new CollectorProcess(programs, source, env, flags);
    try {
      await until('the Collector', () => collector.log.includes(READY) || collector.hasExited, 30_000);
      if (collector.hasExited) throw new Error('the Collector ended at start');
      return collector;
    } catch (error) {
      collector.child.kill('SIGKILL');
      throw new Error(`${(error as Error).message}\n${collector.log}`);
    }
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Lets it send what it holds and end. */
  async stop(): Promise<void> {
    if (this.hasExited) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
  }
}
