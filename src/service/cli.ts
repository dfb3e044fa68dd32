/** The command line as data: parsing only, nothing is printed or opened here. */
import { parseByteSize } from '../config/byte-size.ts';
import { didYouMean } from '../config/nearest.ts';

export type Durability = 'disk' | 'memory';

export interface RunCommand {
  command: 'run';
  /** A path, or a URI `file:PATH`, `env:NAME`, `yaml:TEXT`. */
  config: string;
  dataDir: string;
  durability: Durability;
  /** Pipeline workers; undefined leaves it to the number of cores. */
  workerCount: number | undefined;
  /** Bytes that waiting data may take on disk; undefined leaves it to the engine. */
  diskBudgetBytes: number | undefined;
  /** Flags that are accepted without effect, one sentence each. */
  warnings: string[];
}

export type CliCommand =
  | RunCommand
  | { command: 'validate'; config: string; warnings: string[] }
  | { command: 'components' }
  | { command: 'version' }
  | { command: 'help' };

export type CliIssueCode =
  | 'unknown-flag'
  | 'unknown-command'
  | 'missing-value'
  | 'unexpected-value'
  | 'bad-value'
  | 'missing-config'
  | 'repeated-flag'
  | 'not-supported';

export interface CliIssue {
  code: CliIssueCode;
  /** The flag or word it is about; empty when something is missing altogether. */
  argument: string;
  message: string;
}

export type CliResult = { command: CliCommand; issues: [] } | { command: undefined; issues: CliIssue[] };

export const DEFAULT_DATA_DIR = './millrace-data';
const WORKERS_MAX = 1024;

const COMMANDS = ['run', 'validate', 'components', 'version', 'help'] as const;
type CommandName = (typeof COMMANDS)[number];
/** Commands of the Collector that may come later: not the same as a typing error. */
const LATER_COMMANDS: readonly string[] = ['print-config', 'print-initial-config', 'featuregate'];

const VALUE_FLAGS = ['--config', '--data-dir', '--durability', '--workers', '--disk-budget'] as const;
type ValueFlag = (typeof VALUE_FLAGS)[number];
const SWITCHES = new Map<string, CommandName>([
  ['--help', 'help'],
  ['-h', 'help'],
  ['--version', 'version'],
  ['-v', 'version'],
]);
/** Flags of the Collector with a value that are refused or without effect. */
const COLLECTOR_FLAGS = ['--set', '--feature-gates'] as const;
const FLAG_NAMES = [...VALUE_FLAGS, ...COLLECTOR_FLAGS, '--help', '--version'];

/** What the words say, before it is known whether they make sense together. */
interface Words {
  command: CommandName | undefined;
  /** Set by `--help` and `--version`, which win over everything else. */
  switched: CommandName | undefined;
  values: Map<ValueFlag, string>;
  warnings: string[];
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
    warnings: [],
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
    if (!takesValue(flag)) {
      readSwitch(flag, inline, words);
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

function takesValue(flag: string): flag is ValueFlag | (typeof COLLECTOR_FLAGS)[number] {
  return [...VALUE_FLAGS, ...COLLECTOR_FLAGS].some((each) => each === flag);
}

function readCommand(word: string, words: Words): void {
  const known = COMMANDS.find((each) => each === word);
  if (known !== undefined && words.command === undefined) {
    words.command = known;
    return;
  }
  const isFile = /\.ya?ml$/.test(word);
  const later = LATER_COMMANDS.includes(word);
  const hint = isFile ? ` (to run it: --config ${word})` : didYouMean(word, COMMANDS);
  const message =
    known === undefined
      ? later
        ? `command "${word}" is not supported yet`
        : `unknown command "${word}"${hint}`
      : `one command at a time: "${words.command}" and "${word}"`;
  words.issues.push({ code: later ? 'not-supported' : 'unknown-command', argument: word, message });
}

function readSwitch(flag: string, inline: string | undefined, words: Words): void {
  const command = SWITCHES.get(flag);
  if (command === undefined) {
    const message = `unknown flag ${flag}${didYouMean(flag, FLAG_NAMES)}`;
    words.issues.push({ code: 'unknown-flag', argument: flag, message });
  } else if (inline === undefined) words.switched ??= command;
  else words.issues.push({ code: 'unexpected-value', argument: flag, message: `${flag} takes no value` });
}

function readValue(flag: ValueFlag | (typeof COLLECTOR_FLAGS)[number], value: string, words: Words): void {
  if (flag === '--feature-gates') {
    words.warnings.push(`--feature-gates=${value} has no effect: this engine has no feature gates`);
    return;
  }
  if (flag === '--set') {
    const message = `--set is not supported yet; change the file, or use \${env:NAME} in it`;
    words.issues.push({ code: 'not-supported', argument: flag, message });
    return;
  }
  if (words.values.has(flag)) {
    const message =
      flag === '--config'
        ? 'several --config are not merged yet: give one'
        : `${flag} is given more than once`;
    words.issues.push({ code: 'repeated-flag', argument: flag, message });
    return;
  }
  words.values.set(flag, value);
}

function buildCommand(name: CommandName, words: Words): CliCommand {
  const { values, warnings, issues } = words;
  if (name !== 'run' && name !== 'validate') return { command: name };
  const config = values.get('--config');
  if (config === undefined) {
    const message = 'at least one config flag must be provided: --config FILE';
    issues.push({ code: 'missing-config', argument: '', message });
  }
  const run: RunCommand = {
    command: 'run',
    config: config ?? '',
    dataDir: values.get('--data-dir') ?? DEFAULT_DATA_DIR,
    durability: readDurability(values, issues),
    workerCount: readWorkerCount(values, issues),
    diskBudgetBytes: readDiskBudget(values, issues),
    warnings,
  };
  return name === 'run' ? run : { command: 'validate', config: run.config, warnings };
}

type Values = ReadonlyMap<ValueFlag, string>;

function readDurability(values: Values, issues: CliIssue[]): Durability {
  const value = values.get('--durability') ?? 'disk';
  if (value === 'disk' || value === 'memory') return value;
  const message = `--durability must be disk or memory, got "${value}"`;
  issues.push({ code: 'bad-value', argument: '--durability', message });
  return 'disk';
}

function readWorkerCount(values: Values, issues: CliIssue[]): number | undefined {
  const value = values.get('--workers');
  if (value === undefined) return undefined;
  const count = /^[0-9]{1,4}$/.test(value) ? Number(value) : 0;
  if (count >= 1 && count <= WORKERS_MAX) return count;
  const message = `--workers must be a number from 1 to ${WORKERS_MAX}, got "${value}"`;
  issues.push({ code: 'bad-value', argument: '--workers', message });
  return undefined;
}

function readDiskBudget(values: Values, issues: CliIssue[]): number | undefined {
  const value = values.get('--disk-budget');
  if (value === undefined) return undefined;
  const bytes = parseByteSize(value);
  if (bytes !== undefined && bytes > 0) return bytes;
  const message = `--disk-budget must be a size such as 20GiB, got "${value}"`;
  issues.push({ code: 'bad-value', argument: '--disk-budget', message });
  return undefined;
}
