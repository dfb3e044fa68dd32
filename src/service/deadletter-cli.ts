/** The words behind `millrace deadletter`, as data. */
import { type CliIssue, DEFAULT_DATA_DIR } from './cli.ts';
import { readFlagWords } from './flag-words.ts';

const ACTIONS = ['list', 'show', 'retry'] as const;
const FLAGS = ['--data-dir', '--config', '--set', '--exporter', '--limit'] as const;
type FlagName = (typeof FLAGS)[number];
const SHOWN_DEFAULT = 20;

export interface DeadletterCommand {
  action: (typeof ACTIONS)[number];
  dataDir: string;
  /** Needed for `retry`; also names the directories of storage extensions. */
  configs: readonly string[];
  sets: readonly string[];
  /** Only of this exporter. */
  exporter: string | undefined;
  /** Most items that `show` prints. */
  limit: number;
  /** As `list` and `show` print them: of a file, or of one item of it. Empty means everything. */
  ids: readonly string[];
}

export type DeadletterCli =
  | { command: DeadletterCommand; issues: [] }
  | { command: 'help' }
  | { command: undefined; issues: CliIssue[] };

export const DEADLETTER_HELP = `millrace deadletter: items that a backend refused for good

Usage
  millrace deadletter list  [--data-dir DIR] [--exporter ID]
  millrace deadletter show  [--data-dir DIR] [--exporter ID] [--limit N] [ID...]
  millrace deadletter retry --config FILE [--data-dir DIR] [--exporter ID] [ID...]

  list   one line for each file: id, exporter, signal, items, time, and the commonest error
  show   the items as lines of JSON: id, error, and the item as OTLP/JSON and as protobuf (base64)
  retry  sends them again through the exporter of that id in the configuration; what is refused
         again stays. A running engine is not disturbed.

  An ID names a file (otlp/traces-00000001) or an item (otlp/traces-00000001:17).
  With --config, the directories of its storage extensions and of dead_letters.directory are
  looked into as well.

Exit codes: 0 done; 1 a mistake, or items are left that could not be delivered.
`;

/** @param argv behind the word `deadletter`. */
export function parseDeadletterCli(argv: readonly string[]): DeadletterCli {
  const read = readFlagWords('deadletter', argv, FLAGS);
  if (read === 'help') return { command: 'help' };
  const { words, values, issues } = read;
  const command = buildCommand(words, values, issues);
  return issues.length === 0 ? { command, issues: [] } : { command: undefined, issues };
}

function buildCommand(
  [word = '', ...ids]: readonly string[],
  values: ReadonlyMap<FlagName, string[]>,
  issues: CliIssue[],
): DeadletterCommand {
  const action = ACTIONS.find((each) => each === word);
  if (action === undefined) {
    const message = `deadletter needs one of ${ACTIONS.join(', ')}${word === '' ? '' : `, got "${word}"`}`;
    issues.push({ code: 'unknown-command', argument: word, message });
  }
  const configs = values.get('--config') ?? [];
  if (action === 'retry' && configs.length === 0) {
    const message = 'deadletter retry needs the configuration of the exporter: --config FILE';
    issues.push({ code: 'missing-config', argument: '', message });
  }
  const limit = values.get('--limit')?.at(-1) ?? String(SHOWN_DEFAULT);
  if (!/^[1-9][0-9]{0,8}$/.test(limit)) {
    const message = `--limit must be a number from 1, got "${limit}"`;
    issues.push({ code: 'bad-value', argument: '--limit', message });
  }
  return {
    action: action ?? 'list',
    dataDir: values.get('--data-dir')?.at(-1) ?? DEFAULT_DATA_DIR,
    configs,
    sets: values.get('--set') ?? [],
    exporter: values.get('--exporter')?.at(-1),
    limit: Number(limit),
    ids,
  };
}
