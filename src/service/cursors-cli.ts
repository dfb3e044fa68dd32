/** The words behind `millrace cursors`, as data. */
import { type CliIssue, DEFAULT_DATA_DIR } from './cli.ts';
import { readFlagWords } from './flag-words.ts';

/** How many words stand behind each. */
const ACTIONS = { list: 0, remove: 2, adopt: 3, 'adopt-log': 2 } as const;
type Action = keyof typeof ACTIONS;
const ACTION_NAMES = Object.keys(ACTIONS) as Action[];

export interface CursorsCommand {
  action: Action;
  /** One that holds `logs/`: of the engine, or of a storage extension. */
  dataDir: string;
  /** As the action wants them: log and names. */
  words: readonly string[];
}

export type CursorsCli =
  | { command: CursorsCommand; issues: [] }
  | { command: 'help' }
  | { command: undefined; issues: CliIssue[] };

export const CURSORS_HELP = `millrace cursors: how far exporters have come in the logs on disk

Usage
  millrace cursors list                         [--data-dir DIR]
  millrace cursors remove LOG EXPORTER          [--data-dir DIR]
  millrace cursors adopt LOG EXPORTER NEW       [--data-dir DIR]
  millrace cursors adopt-log LOG PIPELINE       [--data-dir DIR]

  list       one line for each exporter of each log: position, items and bytes that wait for it,
             and how long ago it moved. Items are not counted while an engine runs.
  remove     forgets the position of an exporter that is gone: the log keeps nothing for it any
             more. An exporter of that id that comes back starts at the oldest item.
  adopt      gives its position to another exporter, such as the same one under a new id
  adopt-log  hands a log over to a pipeline, such as the same one under a new name: exporters of
             the same ids deliver what waits in it. The pipeline must have the same signal.

  LOG is a name that list prints (traces~0), or without its number all of that name (traces).
  DIR is --data-dir of the engine, or the directory of a storage extension. All but list need
  the engine to be stopped.

Exit codes: 0 done; 1 a mistake, nothing was changed.
`;

/** @param argv behind the word `cursors`. */
export function parseCursorsCli(argv: readonly string[]): CursorsCli {
  const read = readFlagWords('cursors', argv, ['--data-dir']);
  if (read === 'help') return { command: 'help' };
  const { words, values, issues } = read;
  const dataDir = values.get('--data-dir')?.at(-1) ?? DEFAULT_DATA_DIR;
  const [word = '', ...rest] = words;
  const action = ACTION_NAMES.find((each) => each === word);
  if (action === undefined) {
    const message = `cursors needs one of ${ACTION_NAMES.join(', ')}${word === '' ? '' : `, got "${word}"`}`;
    issues.push({ code: 'unknown-command', argument: word, message });
  } else if (rest.length !== ACTIONS[action]) {
    const message = `cursors ${action} takes ${ACTIONS[action]} words, got ${rest.length}; --help shows them`;
    issues.push({ code: 'bad-value', argument: action, message });
  }
  if (issues.length > 0 || action === undefined) return { command: undefined, issues };
  return { command: { action, dataDir, words: rest }, issues: [] };
}
