/** `millrace cursors`: list positions of exporters in the logs on disk, and settle those that nobody moves any more. */
import { renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseComponentId } from '../component/component-id.ts';
import { SIGNALS } from '../component/signal.ts';
import { type DataLock, isDataDirectoryInUse, lockDataDirectory } from '../queue/log/data-lock.ts';
import {
  cursorDirectoryName,
  cursorsDirectory,
  listNames,
  listSegments,
  segmentSince,
} from '../queue/log/layout.ts';
import { Probe } from '../queue/log/lmdb/probe.ts';
import { adopterOf, setAdopter } from './adopted-logs.ts';
import type { CommandProgram } from './command-program.ts';
import { CURSORS_HELP, type CursorsCommand, parseCursorsCli, type RewindWords } from './cursors-cli.ts';
import { rewindCursors } from './cursors-rewind.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { cliIssuesText } from './help.ts';
import { storedCursors } from './orphan-cursors.ts';
import { bytesFrom, LOG_NAME, logEnd } from './orphan-logs.ts';
import { tableText } from './text-table.ts';
import { logGroupName } from './thread-plan.ts';

/** What the user asked for cannot be done. */
class Refusal extends Error {}

/** @returns the exit code. */
export async function runCursors(program: CommandProgram): Promise<number> {
  const { command, ...parsed } = parseCursorsCli(program.argv, program.clock.unixMs());
  if (command === undefined) {
    program.writeError(cliIssuesText('issues' in parsed ? (parsed.issues ?? []) : []));
    return EXIT_CONFIG;
  }
  if (command === 'help') {
    program.writeOut(CURSORS_HELP);
    return EXIT_OK;
  }
  try {
    if (command.action === 'list') await list(program, command);
    else if (command.rewind !== undefined) await rewind(program, command.dataDir, command.rewind);
    else await change(program, command);
    return EXIT_OK;
  } catch (error) {
    program.writeError(`error: ${(error as Error).message}\n`);
    return EXIT_CONFIG;
  }
}

async function list(program: CommandProgram, { dataDir }: CursorsCommand): Promise<void> {
  const isInUse = await isDataDirectoryInUse(dataDir);
  const probe = new Probe();
  const rows: string[][] = [];
  try {
    for (const directory of logsIn(dataDir)) {
      const logId = basename(directory);
      // The segments of a running engine are its own.
      const end = isInUse ? undefined : await logEnd(directory, probe);
      const adopter = adopterOf(directory);
      const [oldest = 0] = listSegments(directory);
      const sinceMs = segmentSince(directory, oldest);
      const since = sinceMs === undefined ? '-' : new Date(sinceMs).toISOString().replace(/\.\d+Z$/, 'Z');
      for (const cursor of storedCursors(directory, logId)) {
        const items = end === undefined ? '-' : String(Math.max(end - cursor.ordinal, 0));
        const bytes = items === '0' ? 0 : bytesFrom(directory, cursor.ordinal);
        const movedMs = program.clock.unixMs() - statSync(join(cursor.directory, 'position')).mtimeMs;
        rows.push([
          adopter === undefined ? logId : `${logId} (of ${adopter})`,
          ...[
            cursor.name,
            String(cursor.ordinal),
            items,
            String(bytes),
            ageText(movedMs),
            String(oldest),
            since,
          ],
        ]);
      }
    }
  } finally {
    probe.close();
  }
  if (rows.length === 0) program.writeOut('no logs\n');
  else
    program.writeOut(
      tableText([['LOG', 'EXPORTER', 'POSITION', 'ITEMS', 'BYTES', 'MOVED', 'OLDEST', 'SINCE'], ...rows]),
    );
  if (isInUse) program.writeError('an engine runs on this directory: items are counted when it is stopped\n');
}

async function change(program: CommandProgram, command: CursorsCommand): Promise<void> {
  const [log, ...names] = command.words as [string, ...string[]];
  const directories = logsNamed(command.dataDir, log);
  let lock: DataLock | undefined;
  try {
    lock = await lockDataDirectory(command.dataDir);
    if (command.action === 'remove') remove(program, directories, names[0]!);
    else if (command.action === 'adopt') adopt(program, directories, names[0]!, names[1]!);
    else adoptLogs(program, directories, names[0]!);
  } finally {
    await lock?.release();
  }
}

function remove(program: CommandProgram, directories: readonly string[], exporter: string): void {
  const own = directories.filter((directory) => hasCursor(directory, exporter));
  if (own.length === 0) throw new Refusal(`exporter ${exporter} has no position there`);
  for (const directory of own) {
    rmSync(cursorPath(directory, exporter), { recursive: true });
    program.writeOut(`${basename(directory)}: nothing is kept for ${exporter} any more\n`);
  }
}

function adopt(program: CommandProgram, directories: readonly string[], from: string, to: string): void {
  const own = directories.filter((directory) => hasCursor(directory, from));
  if (own.length === 0) throw new Refusal(`exporter ${from} has no position there`);
  const taken = own.find((directory) => hasCursor(directory, to));
  if (taken !== undefined)
    throw new Refusal(`exporter ${to} has a position of its own in ${basename(taken)}; remove one of both`);
  for (const directory of own) {
    renameSync(cursorPath(directory, from), cursorPath(directory, to));
    program.writeOut(`${basename(directory)}: ${to} goes on where ${from} stopped\n`);
  }
}

function adoptLogs(program: CommandProgram, directories: readonly string[], pipeline: string): void {
  const parsed = parseComponentId(pipeline);
  if ('error' in parsed) throw new Refusal(parsed.error);
  const signal = SIGNALS.find((each) => each === parsed.type);
  if (signal === undefined) throw new Refusal(`unknown pipeline signal: "${parsed.type}"`);
  for (const directory of directories) {
    const own = basename(directory).replace(LOG_NAME, '');
    const [ownPipeline = '', storage] = own.split('@');
    if (!new RegExp(`^${signal}(\\.|$)`).test(ownPipeline))
      throw new Refusal(`log ${own} does not hold ${signal}`);
    const adopter = logGroupName(parsed.id, undefined) + (storage === undefined ? '' : `@${storage}`);
    setAdopter(directory, adopter === own ? undefined : adopter);
    program.writeOut(`${basename(directory)}: exporters of pipeline ${parsed.id} deliver what waits in it\n`);
  }
}

/** @param name of one log, or without its number of all that have it. */
function logsNamed(dataDir: string, name: string): string[] {
  const directories = logsIn(dataDir).filter((directory) => {
    return basename(directory) === name || basename(directory).replace(LOG_NAME, '') === name;
  });
  if (directories.length === 0) throw new Refusal(`there is no log ${name} in ${dataDir}`);
  return directories;
}

function logsOfPipeline(dataDir: string, pipeline: string): string[] {
  const parsed = parseComponentId(pipeline);
  if ('error' in parsed) throw new Refusal(parsed.error);
  const name = logGroupName(parsed.id, undefined);
  const directories = logsIn(dataDir).filter((directory) => {
    // What stands behind the sign is the storage.
    return basename(directory).replace(LOG_NAME, '').split('@')[0] === name;
  });
  if (directories.length === 0) throw new Refusal(`there is no log of pipeline ${pipeline} in ${dataDir}`);
  return directories;
}

async function rewind(program: CommandProgram, dataDir: string, words: RewindWords): Promise<void> {
  const { log, pipeline, exporter, target } = words;
  let directories = logsIn(dataDir);
  if (log !== undefined) directories = logsNamed(dataDir, log);
  else if (pipeline !== undefined) directories = logsOfPipeline(dataDir, pipeline);
  const own = directories.filter((directory) => hasCursor(directory, exporter));
  if (own.length === 0) throw new Refusal(`exporter ${exporter} has no position there`);
  await rewindCursors({ dataDir, directories: own, exporter, target, writeOut: program.writeOut });
}

function logsIn(dataDir: string): string[] {
  const parent = join(dataDir, 'logs');
  return listNames(parent)
    .filter((name) => LOG_NAME.test(name))
    .map((name) => join(parent, name))
    .filter((directory) => listSegments(directory).length > 0)
    .toSorted();
}

function cursorPath(directory: string, exporter: string): string {
  return join(cursorsDirectory(directory), cursorDirectoryName(exporter));
}

function hasCursor(directory: string, exporter: string): boolean {
  return listNames(cursorPath(directory, exporter)).includes('position');
}

function ageText(ms: number): string {
  const seconds = Math.max(Math.round(ms / 1000), 0);
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}
