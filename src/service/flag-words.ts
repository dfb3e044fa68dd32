/** Reading of command lines that commands share. */
import { didYouMean } from '../stdx/nearest.ts';
import type { CliIssue } from './cli.ts';

export interface FlagWords<F extends string> {
  /** Everything that is no flag and no value of one, in its order. */
  words: string[];
  /** Of each flag its values, in their order. */
  values: Map<F, string[]>;
  issues: CliIssue[];
}

/**
 * Words behind a command whose flags all take a value, in the same word behind `=` or in the next one.
 * @returns `help` when one of the words asks for it and is not the value of a flag.
 */
export function readFlagWords<F extends string>(
  command: string,
  argv: readonly string[],
  flags: readonly F[],
): FlagWords<F> | 'help' {
  const words: string[] = [];
  const values = new Map<F, string[]>();
  const issues: CliIssue[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === '--help' || word === '-h') return 'help';
    if (!word.startsWith('-')) {
      words.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const flag = flags.find((each) => each === name);
    if (flag === undefined) {
      const message = `unknown flag ${name} of ${command}${didYouMean(name, flags)}`;
      issues.push({ code: 'unknown-flag', argument: name, message });
      continue;
    }
    const value = equals < 0 ? argv[++index] : word.slice(equals + 1);
    if (value === undefined || value === '')
      issues.push({ code: 'missing-value', argument: name, message: `${name} needs a value` });
    else values.set(flag, [...(values.get(flag) ?? []), value]);
  }
  return { words, values, issues };
}
