/** Files with policies: a Collector configuration, or the keys of one `tail_sampling` processor by themselves. */
import { parseComponentId } from '../component/component-id.ts';
import { formatIssue, plainValue } from '../config/config-node.ts';
import { processEnvironment } from '../config/expand.ts';
import { describeValue, yamlValue } from '../config/expanded-text.ts';
import { IssueList, sortedIssues } from '../config/issue-list.ts';
import { loadConfig } from '../config/load.ts';
import { TRIAL_TYPE, type TrialConfig, trialConfigSchema } from '../registry/sampling-trial.ts';
import { didYouMean } from '../stdx/nearest.ts';

export interface PolicyFile {
  file: string;
  /** Id of the processor; undefined for bare policies. */
  processor: string | undefined;
  config: TrialConfig;
}

export type PolicyFileResult =
  | { policies: PolicyFile; warnings: string[] }
  | { policies?: undefined; issues: string[]; warnings: string[] };

/**
 * @param file a path, or a URI as `--config` takes it.
 * @param processor id, needed when the file has several processors of the type.
 * @returns the policies, or all that is wrong with them, with file, line and column.
 */
export function readPolicyFile(file: string, processor: string | undefined): PolicyFileResult {
  const { root, issues, warnings, files } = loadConfig({ configs: [file] }, processEnvironment());
  if (root === undefined || issues.length > 0)
    return { issues: sortedIssues(issues, files).map(formatIssue), warnings: warnings.map(formatIssue) };
  const found = new IssueList(root, warnings);
  const chosen = choose(yamlValue(plainValue(root)), processor, found);
  const parsed = chosen && trialConfigSchema.parse(chosen.raw);
  if (parsed !== undefined) found.addParsed(chosen!.path, parsed);
  const told = sortedIssues(found.warnings, files).map(formatIssue);
  if (parsed?.value === undefined || found.issues.length > 0)
    return { issues: sortedIssues(found.issues, files).map(formatIssue), warnings: told };
  return { policies: { file, processor: chosen!.processor, config: parsed.value }, warnings: told };
}

interface Choice {
  path: string[];
  raw: unknown;
  processor: string | undefined;
}

function choose(raw: unknown, wanted: string | undefined, issues: IssueList): Choice | undefined {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    issues.add([], `expected a map, got ${describeValue(raw)}`);
    return undefined;
  }
  const map = new Map<string, unknown>(Object.entries(raw));
  if (map.has('policies') && !map.has('processors')) return { path: [], raw, processor: undefined };
  const processors = yamlValue(map.get('processors')) ?? {};
  if (typeof processors !== 'object' || Array.isArray(processors)) {
    issues.add(['processors'], `expected a map of component ids, got ${describeValue(processors)}`);
    return undefined;
  }
  const known = new Map<string, Choice>();
  for (const [key, value] of Object.entries(processors)) {
    const id = parseComponentId(key);
    if ('error' in id || id.type !== TRIAL_TYPE) continue;
    known.set(id.id, { path: ['processors', key], raw: value, processor: id.id });
  }
  const only = known.size === 1 ? [...known.values()][0] : undefined;
  const choice = wanted === undefined ? only : known.get(wanted);
  if (choice === undefined)
    issues.add(known.size === 0 ? [] : ['processors'], refusal(wanted, [...known.keys()]));
  return choice;
}

function refusal(wanted: string | undefined, ids: readonly string[]): string {
  if (ids.length === 0) return `needs a processor ${TRIAL_TYPE}, or "policies:" by itself`;
  if (wanted === undefined)
    return `has several processors ${TRIAL_TYPE}, choose with --processor: ${ids.join(', ')}`;
  return `has no processor "${wanted}"${didYouMean(wanted, ids)}`;
}
