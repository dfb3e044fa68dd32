/** The command line as data: parsing only, nothing is printed or opened here. */
import type { RetentionConfig } from '../component/factory.ts';
import { parseByteSize } from '../config/byte-size.ts';
import { parseDuration } from '../config/duration.ts';
import { readGates } from '../config/gates.ts';
import { didYouMean } from '../stdx/nearest.ts';

export type Durability = 'disk' | 'memory';

/** Where the configuration comes from, and what there is to say about the flags. */
export interface SourceFlags {
  /** Paths, or URIs `file:PATH`, `env:NAME`, `yaml:TEXT`; merged, later ones win. At least one. */
  configs: readonly string[];
  /** `key.below=value`; they win over all of `configs`. */
  sets: readonly string[];
  /** Ids of feature gates that are on; absent without any. */
  gates?: readonly string[];
  /** Flags that are accepted without effect, one sentence each. */
  warnings: string[];
}

export interface RunCommand extends SourceFlags {
  command: 'run';
  dataDir: string;
  durability: Durability;
  /** Pipeline workers; undefined leaves it to the number of cores. */
  workerCount: number | undefined;
  /** Bytes that waiting data may take on disk; undefined leaves it to the engine. */
  diskBudgetBytes: number | undefined;
  /** Delivered data that stays on disk; undefined: none. */
  retain: RetentionConfig | undefined;
  /** Reload when a file of `configs` changes. */
  isWatching: boolean;
}

export interface PrintConfigCommand extends SourceFlags {
  command: 'print-config';
  format: 'yaml' | 'json';
  /** Secrets read `[REDACTED]`. */
  isRedacted: boolean;
}

export type CliCommand =
  | RunCommand
  | PrintConfigCommand
  | (SourceFlags & { command: 'validate' })
  | { command: 'components'; format: 'yaml' | 'markdown' }
  | { command: 'config-schema' }
  | { command: 'version' }
  | { command: 'help' };

export type CliIssueCode =
  | 'unknown-flag'
  | 'unknown-command'
  | 'missing-value'
  | 'unexpected-value'
  | 'bad-value'
  | 'missing-config'
  | 'not-for-command'
  | 'repeated-flag';

export interface CliIssue {
  code: CliIssueCode;
  /** The flag or word it is about; empty when something is missing altogether. */
  argument: string;
  message: string;
}

export type CliResult = { command: CliCommand; issues: [] } | { command: undefined; issues: CliIssue[] };

export const DEFAULT_DATA_DIR = './millrace-data';
const WORKERS_MAX = 1024;

const COMMANDS = [
  'run',
  'validate',
  'print-config',
  'config-schema',
  'components',
  'version',
  'help',
] as const;
type CommandName = (typeof COMMANDS)[number];
/** The Collector's earlier spellings. */
const COMMAND_ALIASES: ReadonlyMap<string, CommandName> = new Map([['print-initial-config', 'print-config']]);
/** Commands that read the words behind them themselves, so they are seen here only when they stand elsewhere. */
const FIRST_WORDS: readonly string[] = [
  'cursors',
  'deadletter',
  'top',
  'convert',
  'featuregate',
  'sample',
  'replay',
];

interface Flag {
  takesValue: boolean;
  isRepeatable?: boolean;
  /** Commands that it makes sense with. */
  commands: readonly CommandName[];
}

const WITH_SOURCES: readonly CommandName[] = ['run', 'validate', 'print-config'];
const FLAGS = {
  '--config': { takesValue: true, isRepeatable: true, commands: WITH_SOURCES },
  '--set': { takesValue: true, isRepeatable: true, commands: WITH_SOURCES },
  '--feature-gates': { takesValue: true, isRepeatable: true, commands: WITH_SOURCES },
  '--data-dir': { takesValue: true, commands: WITH_SOURCES },
  '--durability': { takesValue: true, commands: WITH_SOURCES },
  '--workers': { takesValue: true, commands: WITH_SOURCES },
  '--disk-budget': { takesValue: true, commands: WITH_SOURCES },
  '--retain': { takesValue: true, commands: WITH_SOURCES },
  '--watch': { takesValue: false, commands: WITH_SOURCES },
  '--format': { takesValue: true, commands: ['print-config'] },
  '--mode': { takesValue: true, commands: ['print-config'] },
  '--validate': { takesValue: false, commands: ['print-config'] },
  '--markdown': { takesValue: false, commands: ['components'] },
} as const satisfies Readonly<Record<string, Flag>>;
type FlagName = keyof typeof FLAGS;

const SWITCHES: ReadonlyMap<string, CommandName> = new Map([
  ['--help', 'help'],
  ['-h', 'help'],
  ['--version', 'version'],
  ['-v', 'version'],
]);
const FLAG_NAMES = [...Object.keys(FLAGS), '--help', '--version'];

/** What the words say, before it is known whether they make sense together. */
interface Words {
  command: CommandName | undefined;
  /** Set by `--help` and `--version`, which win over everything else. */
  switched: CommandName | undefined;
  /** In their order; flags without a value have an empty text. */
  values: Map<FlagName, string[]>;
  issues: CliIssue[];
}

/**
 * Reads `[command] [--flag value | --flag=value]...`; without a command it is `run`. `--help` and `--version`
 * win over everything else, mistakes included.
 *
 * @param argv arguments behind the program's name.
 * @returns the command, or every mistake.
 */
export function parseCli(argv: readonly string[]): CliResult {
  const words = readWords(argv);
  const name = words.switched ?? words.command ?? 'run';
  if (words.switched !== undefined) return { command: { command: words.switched } as CliCommand, issues: [] };
  const command = buildCommand(name, words);
  return words.issues.length === 0 ? { command, issues: [] } : { command: undefined, issues: words.issues };
}

function readWords(argv: readonly string[]): Words {
  const words: Words = {
    command: undefined,
    switched: undefined,
    values: new Map(),
    issues: [],
  };
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index]!;
    if (!word.startsWith('-')) {
      readCommand(word, words);
      continue;
    }
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    const inline = equals < 0 ? undefined : word.slice(equals + 1);
    if (!isFlag(flag)) {
      readSwitch(flag, inline, words);
      continue;
    }
    if (!FLAGS[flag].takesValue) {
      if (inline === undefined) readValue(flag, '', words);
      else words.issues.push({ code: 'unexpected-value', argument: flag, message: `${flag} takes no value` });
      continue;
    }
    const next = argv[index + 1];
    const hasNext = next !== undefined && !next.startsWith('--');
    if (inline === undefined && hasNext) index += 1;
    const value = inline ?? (hasNext ? next : undefined);
    if (value === undefined || value === '') {
      words.issues.push({ code: 'missing-value', argument: flag, message: `${flag} needs a value` });
    } else readValue(flag, value, words);
  }
  return words;
}

function isFlag(flag: string): flag is FlagName {
  return Object.hasOwn(FLAGS, flag);
}

function readCommand(word: string, words: Words): void {
  const known = COMMANDS.find((each) => each === word) ?? COMMAND_ALIASES.get(word);
  if (known !== undefined && words.command === undefined) {
    words.command = known;
    return;
  }
  const message =
    known === undefined ? strangeCommand(word) : `one command at a time: "${words.command}" and "${word}"`;
  words.issues.push({ code: 'unknown-command', argument: word, message });
}

function strangeCommand(word: string): string {
  if (FIRST_WORDS.includes(word)) return `command "${word}" must be the first word`;
  const isFile = /\.ya?ml$/.test(word);
  const hint = isFile ? ` (to run it: --config ${word})` : didYouMean(word, [...COMMANDS, ...FIRST_WORDS]);
  return `unknown command "${word}"${hint}`;
}

function readSwitch(flag: string, inline: string | undefined, words: Words): void {
  const command = SWITCHES.get(flag);
  if (command === undefined) {
    const message = `unknown flag ${flag}${didYouMean(flag, FLAG_NAMES)}`;
    words.issues.push({ code: 'unknown-flag', argument: flag, message });
  } else if (inline === undefined) words.switched ??= command;
  else words.issues.push({ code: 'unexpected-value', argument: flag, message: `${flag} takes no value` });
}

function readValue(flag: FlagName, value: string, words: Words): void {
  const { isRepeatable }: Flag = FLAGS[flag];
  const before = words.values.get(flag) ?? [];
  if (before.length > 0 && isRepeatable !== true) {
    words.issues.push({ code: 'repeated-flag', argument: flag, message: `${flag} is given more than once` });
  } else words.values.set(flag, [...before, value]);
}

function buildCommand(name: CommandName, words: Words): CliCommand {
  const { values, issues } = words;
  for (const flag of values.keys()) {
    const { commands }: Flag = FLAGS[flag];
    if (commands.includes(name)) continue;
    const message = `${flag} has no meaning for ${name}, only for ${commands.join(', ')}`;
    issues.push({ code: 'not-for-command', argument: flag, message });
  }
  switch (name) {
    case 'run':
      return readRun(values, issues);
    case 'validate':
    case 'print-config': {
      // The flags of a run are checked here, too: putting a word in front of a command line must not break it.
      const { configs, sets, gates, warnings } = readRun(values, issues);
      const sources = { configs, sets, ...(gates && { gates }), warnings };
      if (name === 'validate') return { command: 'validate', ...sources };
      return {
        command: 'print-config',
        ...sources,
        format: readChoice(values, '--format', ['yaml', 'json'], issues),
        isRedacted: readChoice(values, '--mode', ['redacted', 'unredacted'], issues) === 'redacted',
      };
    }
    case 'components':
      return { command: 'components', format: values.has('--markdown') ? 'markdown' : 'yaml' };
    default:
      return { command: name };
  }
}

type Values = ReadonlyMap<FlagName, readonly string[]>;

function readRun(values: Values, issues: CliIssue[]): RunCommand {
  return {
    command: 'run',
    ...readSources(values, issues),
    dataDir: textOf(values, '--data-dir') ?? DEFAULT_DATA_DIR,
    durability: readChoice(values, '--durability', ['disk', 'memory'], issues),
    workerCount: readWorkerCount(values, issues),
    diskBudgetBytes: readDiskBudget(values, issues),
    retain: readRetain(values, issues),
    isWatching: values.has('--watch'),
  };
}

function textOf(values: Values, flag: FlagName): string | undefined {
  return values.get(flag)?.[0];
}

function readSources(values: Values, issues: CliIssue[]): SourceFlags {
  const configs = values.get('--config') ?? [];
  if (configs.length === 0) {
    const message = 'at least one config flag must be provided: --config FILE';
    issues.push({ code: 'missing-config', argument: '', message });
  }
  const sets = values.get('--set') ?? [];
  for (const set of sets) {
    // What stands there may be a secret; a key is all that may be shown.
    const message = '--set must be key.below=value: missing equal sign';
    if (!set.includes('=')) issues.push({ code: 'bad-value', argument: '--set', message });
  }
  const { gates, warnings, errors } = readGates(values.get('--feature-gates') ?? []);
  for (const message of errors) issues.push({ code: 'bad-value', argument: '--feature-gates', message });
  return { configs, sets, ...(gates.length > 0 && { gates }), warnings };
}

/** The first of the choices is the default. */
function readChoice<const V extends string>(
  values: Values,
  flag: FlagName,
  choices: readonly [V, ...V[]],
  issues: CliIssue[],
): V {
  const value = textOf(values, flag);
  if (value === undefined) return choices[0];
  const chosen = choices.find((choice) => choice === value);
  if (chosen !== undefined) return chosen;
  const message = `${flag} must be ${choices.join(' or ')}, got "${value}"`;
  issues.push({ code: 'bad-value', argument: flag, message });
  return choices[0];
}

function readWorkerCount(values: Values, issues: CliIssue[]): number | undefined {
  const value = textOf(values, '--workers');
  if (value === undefined) return undefined;
  const count = /^[0-9]{1,4}$/.test(value) ? Number(value) : 0;
  if (count >= 1 && count <= WORKERS_MAX) return count;
  const message = `--workers must be a number from 1 to ${WORKERS_MAX}, got "${value}"`;
  issues.push({ code: 'bad-value', argument: '--workers', message });
  return undefined;
}

function readDiskBudget(values: Values, issues: CliIssue[]): number | undefined {
  const value = textOf(values, '--disk-budget');
  if (value === undefined) return undefined;
  const bytes = parseByteSize(value);
  if (bytes !== undefined && bytes > 0) return bytes;
  const message = `--disk-budget must be a size such as 20GiB, got "${value}"`;
  issues.push({ code: 'bad-value', argument: '--disk-budget', message });
  return undefined;
}

/** A time, a size, or both with a comma between. */
function readRetain(values: Values, issues: CliIssue[]): RetentionConfig | undefined {
  const value = textOf(values, '--retain');
  if (value === undefined) return undefined;
  const retain: RetentionConfig = {};
  for (const part of value.split(',')) {
    const timeMs = parseDuration(part);
    const sizeBytes = parseByteSize(part);
    if (typeof timeMs === 'number' && timeMs > 0) retain.timeMs = timeMs;
    else if (sizeBytes !== undefined && sizeBytes > 0) retain.sizeBytes = sizeBytes;
    else {
      const message = `--retain must be a time, a size or both, such as 24h,50GiB, got "${value}"`;
      issues.push({ code: 'bad-value', argument: '--retain', message });
      return undefined;
    }
  }
  return retain;
}
