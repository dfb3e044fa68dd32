/** `millrace convert`: rules of other samplers as processors. */
import { formatIssue } from '../config/config-node.ts';
import { readTextFile } from '../config/source-text.ts';
import { didYouMean } from '../stdx/nearest.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { convertSampler } from './refinery/policies.ts';
import { readRules } from './refinery/read-rules.ts';
import { noteLine, writePolicies } from './refinery/write-policies.ts';

const CONVERT_HELP = `millrace convert: rules of another sampler as processors of a Collector configuration

Usage
  millrace convert refinery FILE [--sampler NAME]

  Reads the rules file of Honeycomb's Refinery (RulesVersion 2) and writes YAML with one
  tail_sampling processor for each sampler to stdout. What has no equivalent, and what another
  thing stands for, is listed on stderr and in comments of the YAML; everything else means the same.

  DeterministicSampler, SampleRate    policy probabilistic: the same share of other traces
  RulesBasedSampler                   a policy for each rule, the first that matches decides
    conditions                        string_attribute, status_code, span_count, ottl_condition
    Scope: trace | span               a condition each | all in one condition
    Drop                              policy drop
  EMADynamicSampler, DynamicSampler   policy dynamic, with the same formula for the rates
  EMAThroughputSampler and the other  policy rate_limiting, which is not the same: the first spans of
  samplers for a throughput           each second instead of rates by key

Flags
  --sampler NAME   only this sampler, such as __default__ or the name of an environment

Examples
  millrace convert refinery rules.yaml > sampling.yaml
  millrace validate --config gateway.yaml --config sampling.yaml
  millrace convert refinery rules.yaml --sampler production

  The second file adds the processors; the pipelines in gateway.yaml have to name them.

Exit codes: 0 written, also when something has no equivalent; 1 a mistake in the command or the file.
`;

const SOURCES = ['refinery'];

export interface ConvertProgram {
  /** Behind the word `convert`. */
  argv: readonly string[];
  writeOut(text: string): void;
  writeError(text: string): void;
}

interface ConvertCommand {
  file: string;
  sampler: string | undefined;
}

/** @returns the exit code. */
export function runConvert({ argv, writeOut, writeError }: ConvertProgram): number {
  const command = parseConvert(argv);
  if (command === 'help') {
    writeOut(CONVERT_HELP);
    return EXIT_OK;
  }
  if ('issues' in command) {
    for (const issue of command.issues) writeError(`millrace: ${issue}\n`);
    writeError('millrace convert --help explains the command.\n');
    return EXIT_CONFIG;
  }
  const source = readTextFile(command.file);
  if ('error' in source) {
    writeError(`error: ${source.file}: ${source.error}\n`);
    return EXIT_CONFIG;
  }
  const { samplers, issues } = readRules(source.file, source.text);
  for (const issue of issues) writeError(`error: ${formatIssue(issue)}\n`);
  if (issues.length > 0) return EXIT_CONFIG;
  const { sampler: wanted } = command;
  const chosen = samplers.filter(({ name }) => wanted === undefined || name === wanted);
  if (chosen.length === 0) {
    const near = didYouMean(
      wanted!,
      samplers.map(({ name }) => name),
    );
    writeError(`error: ${source.file}: no sampler "${wanted}"${near}\n`);
    return EXIT_CONFIG;
  }
  const converted = chosen.map((each) => ({ ...each, ...convertSampler(each.sampler) }));
  for (const each of converted) for (const note of each.notes) writeError(`${noteLine(each, note)}\n`);
  writeOut(writePolicies({ file: source.file, samplers: converted }));
  return EXIT_OK;
}

function parseConvert(argv: readonly string[]): ConvertCommand | 'help' | { issues: string[] } {
  if (argv.some((word) => word === '--help' || word === '-h')) return 'help';
  const words: string[] = [];
  const issues: string[] = [];
  let sampler: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    if (!word.startsWith('-')) words.push(word);
    else if (flag !== '--sampler')
      issues.push(`unknown flag ${flag} of convert${didYouMean(flag, ['--sampler'])}`);
    else {
      sampler = equals < 0 ? argv[++index] : word.slice(equals + 1);
      if (sampler === undefined || sampler === '') issues.push('--sampler needs a name');
    }
  }
  const [source, file, ...others] = words;
  if (source === undefined) issues.push('convert needs a source: refinery');
  else if (!SOURCES.includes(source)) {
    issues.push(`convert does not know "${source}"${didYouMean(source, SOURCES)}: it reads refinery`);
  } else if (file === undefined) issues.push('convert refinery needs the path of a rules file');
  for (const word of others) issues.push(`unexpected argument "${word}": one file at a time`);
  return issues.length > 0 ? { issues } : { file: file!, sampler };
}
