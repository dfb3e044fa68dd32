/** Finds threads that chDB's signal handler has put to sleep for ever, by what Linux tells of them in /proc. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

const SIGSEGV_BIT = 1n << 10n;
const SIGTERM_BIT = 1n << 14n;

/**
 * A crash in one thread of the engine leaves all others running: queries go on being answered, but what the
 * thread held never ends. Such a thread waits inside the handler, with the crash signals blocked and SIGTERM not;
 * no other thread blocks just these (those of libuv block every signal).
 *
 * @param pid the process to look at; this one when missing.
 * @returns the name of one such thread; always undefined on systems without /proc.
 */
export async function findCrashedThread(pid?: number): Promise<string | undefined> {
  const directory = `/proc/${pid ?? 'self'}/task`;
  let ids: string[];
  try {
    ids = await readdir(directory);
  } catch {
    return undefined;
  }
  for (const id of ids) {
    let status: string;
    try {
      status = await readFile(`${directory}/${id}/status`, 'latin1');
    } catch {
      // The thread has ended since it was listed.
      continue;
    }
    const mask = /^SigBlk:\s*([0-9a-f]+)$/m.exec(status)?.[1];
    if (mask === undefined) continue;
    const blocked = BigInt(`0x${mask}`);
    if ((blocked & SIGSEGV_BIT) !== 0n && (blocked & SIGTERM_BIT) === 0n) {
      return /^Name:\s*(.*)$/m.exec(status)?.[1] ?? id;
    }
  }
  return undefined;
}

/** The process that has a data directory of ClickHouse open; undefined when nothing tells. */
export async function findLockHolder(path: string): Promise<number | undefined> {
  try {
    const [{ ino }, locks] = await Promise.all([
      stat(join(path, 'status')),
      readFile('/proc/locks', 'latin1'),
    ]);
    const line = locks.split('\n').find((text) => text.includes(`:${ino} `));
    const pid = Number(line?.trim().split(/\s+/)[4]);
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process runs the entry file that this one runs. */
export async function isSameProgram(pid: number): Promise<boolean> {
  try {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return commandLine.split('\0').includes(process.argv[1]!);
  } catch {
    return false;
  }
}
