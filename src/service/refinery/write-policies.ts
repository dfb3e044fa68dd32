/** Converted samplers as commented YAML: the `processors` section of a Collector. */
import type { Position } from '../../config/config-node.ts';
import { printYaml } from '../../config/yaml-text.ts';
import type { ConvertedSampler, NamedPolicy, Note } from './policies.ts';
import type { NamedSampler } from './read-rules.ts';

export interface ConvertedFile {
  file: string;
  samplers: readonly (NamedSampler & ConvertedSampler)[];
}

const DEFAULT_NAME = '__default__';
const HEADER = `The rules of Refinery as processors, made by "millrace convert refinery".

Each sampler is a processor: put "tail_sampling" into the pipeline of the traces that no other sampler
is for, and each of the others into the pipeline of its environment or dataset.

What reads the same and is the same: conditions and their scopes, the first matching rule, rates by key.
What is different everywhere:
  - 1 of N traces is chosen by a hash of the trace id, with another hash than Refinery's: other traces,
    the same share, and a share that is the same for every processor with the same percentage.
  - No sample rate is written into spans: counts have to be scaled by whoever knows the policy.
  - A field is an attribute of the span or else of its resource. Where string_attribute is used, a resource
    with the value counts also when a span has another value under the same name.
  - The policy "dynamic" is millrace's own, and so are "and" and "not" inside each other: the Go Collector takes
    neither. Every instance has rates of its own traffic.
  - decision_wait and the other times are Refinery's defaults; its config.yaml may say otherwise
    (TraceTimeout, SendDelay, SampleCache).`;

/** Refinery's defaults, from its configuration and not from the rules. */
const SETTINGS = {
  decision_wait: '60s',
  decision_wait_after_root_received: '2s',
  decision_cache: { sampled_cache_size: 10_000, non_sampled_cache_size: 1_000_000 },
  sample_on_first_match: true,
};

export function writePolicies({ file, samplers }: ConvertedFile): string {
  const lines = [...comment(HEADER, ''), '', 'processors:'];
  const ids = new Set<string>();
  for (const [index, sampler] of samplers.entries()) {
    if (index > 0) lines.push('');
    lines.push(...processorLines(file, sampler, processorId(sampler.name, ids)));
  }
  return `${lines.join('\n')}\n`;
}

function processorLines(file: string, sampler: NamedSampler & ConvertedSampler, id: string): string[] {
  const { name, at, notes, policies } = sampler;
  const head = [`Sampler ${JSON.stringify(name)} (${file}:${at([]).line})`];
  if (notes.length > 0)
    head.push('Not the same as in Refinery:', ...notes.map((note) => `  - ${noteText(note, at)}`));
  return [
    ...comment(head.join('\n'), '  '),
    ...indented(printYaml({ [id]: SETTINGS }), '  '),
    '    policies:',
    ...policies.flatMap((policy) => policyLines(policy, at)),
  ];
}

function policyLines({ comments, policy, path }: NamedPolicy, at: NamedSampler['at']): string[] {
  const place = path.length === 0 ? [] : [`Line ${at(path).line}.`];
  return [
    ...comment([...place, ...comments].join(' '), '      '),
    ...indented(printYaml([policy]), '      '),
  ];
}

function noteText({ path, message }: Note, at: NamedSampler['at']): string {
  return `line ${at(path).line}: ${message}`;
}

/** A note as a line of a terminal. */
export function noteLine(sampler: NamedSampler, { path, kind, message }: Note): string {
  const { file, line, column }: Position = sampler.at(path);
  const place = ['Samplers', sampler.name, ...path].join('::');
  return `${file}:${line}:${column}: ${kind === 'missing' ? 'no equivalent' : 'different'}: ${place}: ${message}`;
}

/** Names of environments may have characters that ids of components have not. */
function processorId(name: string, ids: Set<string>): string {
  const type = 'tail_sampling';
  const wanted = name === DEFAULT_NAME ? type : `${type}/${name.replace(/[\p{Z}\p{C}\p{S}]+/gu, '_')}`;
  let id = wanted;
  for (let number = 2; ids.has(id); number++) id = `${wanted}_${number}`;
  ids.add(id);
  return id;
}

function comment(text: string, indent: string): string[] {
  if (text === '') return [];
  // A name in a comment must not end it.
  const safe = text.split('\n').map((line) => line.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' '));
  return safe.map((line) => `${indent}# ${line}`.trimEnd());
}

function indented(text: string, indent: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : indent + line));
}
