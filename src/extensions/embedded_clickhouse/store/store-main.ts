/** The store process: chDB on the main thread of a process of its own, behind ClickHouse's HTTP interface. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../stdx/clock.ts';
import {
  BEAT_INTERVAL_MS,
  type FailureReason,
  type StoreCommand,
  type StoreOptions,
  type StoreReport,
} from '../messages.ts';
import { findCrashedThread, findLockHolder, isSameProgram } from './crash-watch.ts';
import { type Engine, openEngine } from './engine.ts';
import { createStoreServer } from './http-server.ts';
import { RequestHandler } from './request-handler.ts';

/**
 * Time to close in when the engine above has died. Short, because its successor waits for directory and port, and
 * what is cut off was not confirmed to anybody.
 */
const ORPHAN_MS = 1000;
/** Beats between two looks for crashed threads. */
const CRASH_WATCH_BEATS = 2;

interface OpenStore {
  engine: Engine;
  handler: RequestHandler;
  server: Server;
  beats: NodeJS.Timeout;
}

/** Serves the IPC channel of `fork` until it closes. Must be called once, by the entry file of the process. */
export function runStoreProcess(): void {
  let opening: Promise<OpenStore | undefined> | undefined;
  let isClosing = false;
  const close = async (withinMs: number) => {
    if (isClosing) return;
    isClosing = true;
    // Not unref'ed: were the engine stuck, the loop could be empty and the process still not end.
    const deadline = setTimeout(() => process.kill(process.pid, 'SIGKILL'), withinMs);
    const store = await opening;
    if (store !== undefined) await closeStore(store);
    clearTimeout(deadline);
    if (process.connected) process.disconnect();
  };
  // Ctrl-C reaches the whole process group: the engine above still has rows to deliver then.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('disconnect', () => void close(ORPHAN_MS));
  process.on('message', (command: StoreCommand) => {
    if (command.type === 'close') void close(command.withinMs);
    else opening ??= openStore(command.options);
  });
}

function report(message: StoreReport): void {
  // The channel closes with the engine; `disconnect` has said so already.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

async function openStore(options: StoreOptions): Promise<OpenStore | undefined> {
  let engine: Engine | undefined;
  try {
    engine = await openEngine(options);
    const handler = new RequestHandler(engine, systemClock);
    const server = createStoreServer(handler, options.host);
    server.listen(options.port, options.host === '' ? undefined : options.host);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    report({ type: 'ready', port, version: engine.version });
    return { engine, handler, server, beats: startBeats() };
  } catch (error) {
    await engine?.close();
    report({ type: 'failed', ...(await describeFailure(error, options)) });
    if (process.connected) process.disconnect();
    return undefined;
  }
}

function startBeats(): NodeJS.Timeout {
  let beats = 0;
  return setInterval(() => {
    report({ type: 'beat' });
    beats += 1;
    if (beats % CRASH_WATCH_BEATS !== 0) return;
    void findCrashedThread().then((thread) => {
      if (thread !== undefined) report({ type: 'crashed', thread });
    });
  }, BEAT_INTERVAL_MS);
}

async function closeStore(store: OpenStore): Promise<void> {
  const closed = once(store.server, 'close');
  store.server.close();
  store.server.closeIdleConnections();
  await store.handler.drain();
  store.server.closeAllConnections();
  await closed;
  clearInterval(store.beats);
  await store.engine.close();
}

async function describeFailure(
  error: unknown,
  options: StoreOptions,
): Promise<{ reason: FailureReason; message: string }> {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const isMissing = /^(ERR_)?MODULE_NOT_FOUND$/.test(code) && /chdb/.test(message);
  if (isMissing || code === 'CHDB_PLATFORM') return { reason: 'chdb_missing', message };
  if (code === 'EADDRINUSE') {
    return { reason: 'address_in_use', message: `${options.host}:${options.port} is in use` };
  }
  // With arguments for the engine, chDB says no more than that it could not connect.
  const pid = await findLockHolder(options.path);
  if (pid === undefined) return { reason: 'other', message };
  const isStore = await isSameProgram(pid);
  const crashed = isStore ? await findCrashedThread(pid) : undefined;
  // Nobody may be left to end a process that crashed without dying; it would hold the directory for ever.
  if (crashed !== undefined) process.kill(pid, 'SIGKILL');
  return { reason: 'locked', message: `${options.path} is open in process ${pid}` };
}
