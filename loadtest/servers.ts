/** Real servers of a scenario, in the foreground of configs/scripts/services.sh, whose cost is counted apart from the engine's. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { assertPortsFree, ManagedProcess } from './child-process.ts';
import type { ServerName } from './scenario-file.ts';

/** As the configurations of the scenarios name them. */
export const KAFKA_PORT = 19_092;
export const S3_PORT = 17_070;
export const S3_BUCKET = 'loadtest';
const PORTS: Readonly<Record<ServerName, readonly number[]>> = {
  kafka: [KAFKA_PORT, KAFKA_PORT + 1],
  s3: [S3_PORT],
};

/** For the engine and the server alike. */
export const S3_ENVIRONMENT: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: 'loadtest',
  AWS_SECRET_ACCESS_KEY: 'loadtest-secret',
  AWS_REGION: 'us-east-1',
};

export class Servers {
  readonly #processes: ManagedProcess[] = [];

  /** @param directory where their data and logs go; the caller deletes it. */
  async start(names: readonly ServerName[], root: string, directory: string): Promise<void> {
    await assertPortsFree(names.flatMap((name) => PORTS[name]));
    const script = join(root, 'configs/scripts/services.sh');
    for (const name of names) {
      const data = join(directory, name);
      // A bucket is a folder of this server.
      if (name === 's3') mkdirSync(join(data, 'buckets', S3_BUCKET), { recursive: true });
      const args = [script, 'run', name, data, String(PORTS[name][0])];
      const server = new ManagedProcess(name, args, directory, S3_ENVIRONMENT, 'bash');
      this.#processes.push(server);
      await server.ready(PORTS[name]);
    }
  }

  get pids(): number[] {
    return this.#processes.map(({ pid }) => pid);
  }

  assertAlive(): void {
    for (const server of this.#processes) server.assertAlive();
  }

  async stop(): Promise<void> {
    // They are deleted with their data: nothing is worth an orderly end.
    await Promise.all(this.#processes.splice(0).map(async (server) => server.kill()));
  }
}
