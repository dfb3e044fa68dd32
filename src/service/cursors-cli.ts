/** The words behind `millrace cursors`, as data. */
import { parseDuration } from '../config/duration.ts';
import type { RewindTarget } from '../queue/log/rewind.ts';
import { type CliIssue, DEFAULT_DATA_DIR } from './cli.ts';
import { readFlagWords } from './flag-words.ts';

/** How many words stand behind each. */
const ACTIONS = { list: 0, rewind: 0, remove: 2, adopt: 3, 'adopt-log': 2 } as const;
type Action = keyof typeof ACTIONS;
const ACTION_NAMES = Object.keys(ACTIONS) as Action[];

export interface CursorsCommand {
  action: Action;
  /** One that holds `logs/`: of the engine, or of a storage extension. */
  dataDir: string;
  /** As the action wants them: log and names. */
  words: readonly string[];
  /** Of `rewind` alone. */
  rewind?: RewindWords;
}

export interface RewindWords {
  exporter: string;
  target: RewindTarget;
  /** As `LOG` of the help; undefined: every log that the exporter reads. */
  log: string | undefined;
  pipeline: string | undefined;
}

const REWIND_FLAGS = ['--exporter', '--to', '--log', '--pipeline'] as const;
const FLAGS = ['--data-dir', ...REWIND_FLAGS] as const;

export type CursorsCli =
  | { command: CursorsCommand; issues: [] }
  | { command: 'help' }
  | { command: undefined; issues: CliIssue[] };

export const CURSORS_HELP = `millrace cursors: how far exporters have come in the logs on disk

Usage
  millrace cursors list                         [--data-dir DIR]
  millrace cursors rewind --exporter ID --to TIME|begin [--log LOG | --pipeline ID]
                                                [--data-dir DIR]
  millrace cursors remove LOG EXPORTER          [--data-dir DIR]
  millrace cursors adopt LOG EXPORTER NEW       [--data-dir DIR]
  millrace cursors adopt-log LOG PIPELINE       [--data-dir DIR]

  list       one line for each exporter of each log: position, items and bytes that wait for it,
             how long ago it moved, and how far back the log goes: its oldest position, and when
             that arrived. Items are not counted while an engine runs.
  rewind     moves an exporter back, so that everything since then is sent once more: to what
             arrived at a time (2026-03-01T12:00:00Z), so long ago (6h), or to the oldest item.
             What is delivered stays in the log as --retain or retain of file_storage says.
             An engine that runs does it itself, within seconds.
  remove     forgets the position of an exporter that is gone: the log keeps nothing for it any
             more. An exporter of that id that comes back starts at the oldest item.
  adopt      gives its position to another exporter, such as the same one under a new id
  adopt-log  hands a log over to a pipeline, such as the same one under a new name: exporters of
             the same ids deliver what waits in it. The pipeline must have the same signal.

  LOG is a name that list prints (traces~0), or without its number all of that name (traces).
  DIR is --data-dir of the engine, or the directory of a storage extension. All but list and
  rewind need the engine to be stopped.

Exit codes: 0 done; 1 a mistake, nothing was changed.
`;

/** RFC 3339, a duration back from now, or `begin`; undefined for anything else. */
function readTarget(text: string, nowUnixMs: number): RewindTarget | undefined {
  if (text === 'begin') return text;
  const agoMs = parseDuration(text);
  if (typeof agoMs === 'number' && agoMs >= 0) return nowUnixMs - agoMs;
  const hasDate = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text);
  const unixMs = hasDate ? Date.parse(text) : Number.NaN;
  return Number.isNaN(unixMs) ? undefined : unixMs;
}

function readRewind(
  values: ReadonlyMap<string, string[]>,
  issues: CliIssue[],
  nowUnixMs: number,
): RewindWords | undefined {
  const last = (flag: string) => values.get(flag)?.at(-1);
  const [exporter, to, log, pipeline] = REWIND_FLAGS.map(last);
  for (const [flag, value] of [
    ['--exporter', exporter],
    ['--to', to],
  ] as const)
    if (value === undefined)
      issues.push({ code: 'missing-value', argument: flag, message: `cursors rewind needs ${flag}` });
  const target = to === undefined ? undefined : readTarget(to, nowUnixMs);
  if (to !== undefined && target === undefined) {
    const message = `--to must be a time such as 2026-03-01T12:00:00Z, a duration such as 6h, or begin, got "${to}"`;
    issues.push({ code: 'bad-value', argument: '--to', message });
  }
  if (log !== undefined && pipeline !== undefined)
    issues.push({ code: 'bad-value', argument: '--log', message: '--log and --pipeline exclude each other' });
  return exporter === undefined || target === undefined ? undefined : { exporter, target, log, pipeline };
}

/** @param argv behind the word `cursors`. */
export function parseCursorsCli(argv: readonly string[], nowUnixMs: number): CursorsCli {
  const read = readFlagWords('cursors', argv, FLAGS);
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
  if (action !== 'rewind') {
    for (const flag of REWIND_FLAGS) {
      if (!values.has(flag)) continue;
      const message = `${flag} has no meaning for cursors ${word}, only for rewind`;
      issues.push({ code: 'not-for-command', argument: flag, message });
    }
  }
  const rewind = action === 'rewind' ? readRewind(values, issues, nowUnixMs) : undefined;
  if (issues.length > 0 || action === undefined) return { command: undefined, issues };
  const command = { action, dataDir, words: rest, ...(rewind === undefined ? {} : { rewind }) };
  return { command, issues: [] };
}
