/** Profiles of the calling thread in V8's own formats: `.cpuprofile` and `.heapsnapshot`, both JSON. */
import { Session } from 'node:inspector/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';

export type ProfileKind = 'cpu' | 'heap';

/** A CPU profile of the calling thread that goes on until `stop`, which gives its text. Samples add up in memory. */
export async function startCpuProfile(): Promise<{ stop(): Promise<string> }> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  return {
    stop: async () => {
      try {
        const { profile } = await session.post('Profiler.stop');
        return JSON.stringify(profile);
      } finally {
        session.disconnect();
      }
    },
  };
}

/**
 * @param seconds of sampling, for `cpu`; a heap snapshot is taken at once and stops the thread meanwhile.
 * @returns the text in parts; the thread is profiled while the first one is waited for.
 */
export async function* takeProfile(kind: ProfileKind, seconds: number): AsyncGenerator<string> {
  if (kind === 'heap') {
    for await (const part of getHeapSnapshot().setEncoding('utf8')) yield part as string;
    return;
  }
  const profile = await startCpuProfile();
  await sleep(seconds * 1000);
  yield await profile.stop();
}
