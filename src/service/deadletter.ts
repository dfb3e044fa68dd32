/** `millrace deadletter`: list, show and send again what backends refused for good. */
import type { ExporterFactory, ExtensionFactory } from '../component/factory.ts';
import { loadCollectorConfig } from '../config/collector-config.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { formatIssue } from '../config/config-node.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import type { SendingProgram } from './command-program.ts';
import { DEADLETTER_HELP, type DeadletterCommand, parseDeadletterCli } from './deadletter-cli.ts';
import { isSelected, type LetterFile, listLetterFiles, readLetterFile } from './deadletter-files.ts';
import { retryDeadLetters } from './deadletter-retry.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { cliIssuesText } from './help.ts';
import { printableLine, tableText } from './text-table.ts';

/** @returns the exit code. */
export async function runDeadletter(program: SendingProgram): Promise<number> {
  const parsed = parseDeadletterCli(program.argv);
  if (parsed.command === undefined) {
    program.writeError(cliIssuesText(parsed.issues));
    return EXIT_CONFIG;
  }
  const { command } = parsed;
  if (command === 'help') {
    program.writeOut(DEADLETTER_HELP);
    return EXIT_OK;
  }
  const plan = command.configs.length === 0 ? undefined : loadPlan(program, command);
  if (command.configs.length > 0 && plan === undefined) return EXIT_CONFIG;
  const storageDirectories = storagesOf(program.registry, command, plan);
  const files = (await listLetterFiles(storageDirectories)).filter(({ id }) => isWanted(command, id));
  switch (command.action) {
    case 'list':
      return list(program, command, files);
    case 'show':
      return show(program, command, files);
    case 'retry':
      return retryDeadLetters({ ...program, command, files, storageDirectories, plan: plan! });
  }
}

function isWanted({ ids }: DeadletterCommand, fileId: string): boolean {
  return ids.length === 0 || ids.some((id) => id === fileId || id.startsWith(`${fileId}:`));
}

function loadPlan(program: SendingProgram, command: DeadletterCommand): CollectorPlan | undefined {
  const loaded = loadCollectorConfig(command, program.registry.values());
  if (loaded.plan !== undefined) return loaded.plan;
  for (const issue of loaded.issues) program.writeError(`error: ${formatIssue(issue)}\n`);
  return undefined;
}

function storagesOf(
  registry: Registry,
  command: DeadletterCommand,
  plan: CollectorPlan | undefined,
): string[] {
  const directories = [command.dataDir];
  for (const { type, config } of plan?.extensions ?? []) {
    const factory = findFactory(registry, 'extension', type) as ExtensionFactory<unknown>;
    const directory = factory.storageDirectory?.(config);
    if (directory !== undefined) directories.push(directory);
  }
  for (const { type, config } of plan?.exporters ?? []) {
    const { delivery } = findFactory(registry, 'exporter', type) as ExporterFactory<unknown>;
    const { directory } = delivery(config).deadLetters;
    if (directory !== undefined) directories.push(directory);
  }
  return [...new Set(directories)];
}

async function list(
  program: SendingProgram,
  command: DeadletterCommand,
  files: readonly LetterFile[],
): Promise<number> {
  const rows: string[][] = [];
  for (const { path, id } of files) {
    const { letters, damagedCount } = await readLetterFile(path);
    const wanted = letters.filter(
      ({ letter, line }) => isOf(command, letter.exporter) && isSelected(command.ids, id, line),
    );
    const [first] = wanted;
    if (first !== undefined) {
      const { exporter, signal, time } = first.letter;
      const error = commonest(wanted.map(({ letter }) => letter.error));
      rows.push([id, exporter, signal, String(wanted.length), time, printable(error)]);
    }
    if (damagedCount > 0) program.writeError(`warning: ${id}: ${damagedCount} lines cannot be read\n`);
  }
  if (rows.length === 0) program.writeOut('no dead letters\n');
  else program.writeOut(tableText([['ID', 'EXPORTER', 'SIGNAL', 'ITEMS', 'FIRST', 'ERROR'], ...rows]));
  return EXIT_OK;
}

async function show(
  program: SendingProgram,
  command: DeadletterCommand,
  files: readonly LetterFile[],
): Promise<number> {
  let left = command.limit;
  let hidden = 0;
  for (const { path, id } of files) {
    for (const { letter, line } of (await readLetterFile(path)).letters) {
      if (!isOf(command, letter.exporter) || !isSelected(command.ids, id, line)) continue;
      // Who sent it may be told by a credential.
      const { client: _, ...shown } = letter;
      if (left > 0) program.writeOut(`${JSON.stringify({ id: `${id}:${line}`, ...shown })}\n`);
      else hidden++;
      left--;
    }
  }
  if (hidden > 0) program.writeError(`${hidden} more; --limit N shows more\n`);
  return EXIT_OK;
}

function isOf(command: DeadletterCommand, exporter: string): boolean {
  return command.exporter === undefined || command.exporter === exporter;
}

function commonest(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  let best = '';
  for (const [text, count] of counts) if (count > (counts.get(best) ?? 0)) best = text;
  return best;
}

const ERROR_CHARS = 200;

/** A backend's text may hold anything, and this goes to a terminal. */
function printable(text: string): string {
  const line = printableLine(text);
  return line.length <= ERROR_CHARS ? line : `${line.slice(0, ERROR_CHARS - 3)}...`;
}
