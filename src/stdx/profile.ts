/** Profiles of the calling thread in V8's own formats: `.cpuprofile` and `.heapsnapshot`, both JSON. */
import { Session } from 'node:inspector/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';

export type ProfileKind = 'cpu' | 'heap';

/**
 * @param seconds of sampling, for `cpu`; a heap snapshot is taken at once and stops the thread meanwhile.
 * @returns the text in parts; the thread is profiled while the first one is waited for.
 */
export async function* takeProfile(kind: ProfileKind, seconds: number): AsyncGenerator<string> {
  if (kind === 'heap') {
    for await (const part of getHeapSnapshot().setEncoding('utf8')) yield part as string;
    return;
  }
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await sleep(seconds * 1000);
    const { profile } = await session.post('Profiler.stop');
    yield JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}
