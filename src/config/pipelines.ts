/** `service::pipelines`: which component feeds which, with every reference checked. */
import { parseComponentId } from '../component/component-id.ts';
import type { AnyFactory, ComponentKind } from '../component/factory.ts';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { didYouMean } from '../stdx/nearest.ts';
import type { PipelinePlan } from './collector-plan.ts';
import { type DefinedComponent, type DefinedComponents, SECTION_OF_KIND } from './components.ts';
import { describeValue, yamlValue } from './expanded-text.ts';
import { stringList } from './field-kinds.ts';
import type { IssueList } from './issue-list.ts';
import { defineConfig } from './schema.ts';

type PipelineRole = 'receiver' | 'processor' | 'exporter';

const PIPELINES_PATH = ['service', 'pipelines'] as const;

/** The keys of one pipeline. */
export const pipelineSchema = defineConfig({
  receivers: stringList('receivers', { default: [], doc: 'Ids of receivers and connectors that feed it.' }),
  processors: stringList('processors', { default: [], doc: 'Ids of processors, in their order.' }),
  exporters: stringList('exporters', { default: [], doc: 'Ids of exporters and connectors that it feeds.' }),
});

/** Components that the file defines, by kind. */
export type Definitions = Readonly<Record<ComponentKind, DefinedComponents>>;

/** @returns the pipelines that could be read; references that do not resolve are issues and left out. */
export function readPipelines(raw: unknown, definitions: Definitions, issues: IssueList): PipelinePlan[] {
  const map = yamlValue(raw) ?? {};
  if (typeof map !== 'object' || Array.isArray(map)) {
    issues.add(PIPELINES_PATH, `expected a map of pipelines, got ${describeValue(raw)}`);
    return [];
  }
  const entries = Object.entries(map);
  if (entries.length === 0) issues.add(PIPELINES_PATH, 'service must have at least one pipeline');
  const plans = new Map<string, PipelinePlan>();
  for (const [key, value] of entries) {
    const plan = readPipeline(key, value, definitions, issues);
    if (plan === undefined) continue;
    if (plans.has(plan.id)) {
      issues.addKey(PIPELINES_PATH, key, `duplicate name "${plan.id}" after unmarshaling "${key}"`);
    } else plans.set(plan.id, plan);
  }
  return [...plans.values()];
}

function readPipeline(
  key: string,
  value: unknown,
  definitions: Definitions,
  issues: IssueList,
): PipelinePlan | undefined {
  const path = [...PIPELINES_PATH, key];
  const id = parseComponentId(key);
  const signal = 'error' in id ? undefined : SIGNALS.find((each) => each === id.type);
  if ('error' in id) issues.addKey(PIPELINES_PATH, key, id.error);
  else if (id.type === 'profiles') issues.addKey(PIPELINES_PATH, key, 'profiles are not supported yet');
  else if (signal === undefined) {
    const message = `unknown pipeline signal: "${id.type}"${didYouMean(id.type, SIGNALS)}`;
    issues.addKey(PIPELINES_PATH, key, message);
  }
  const parsed = pipelineSchema.parse(value);
  issues.addParsed(path, parsed);
  if (parsed.value === undefined) return undefined;
  for (const role of ['receiver', 'exporter'] as const) {
    const section = SECTION_OF_KIND[role];
    const isEmpty = (role === 'receiver' ? parsed.value.receivers : parsed.value.exporters).length === 0;
    if (isEmpty) issues.add(path, `must have at least one ${role}`, [...path, section]);
  }
  const references = new References(path, signal, definitions, issues);
  const receivers = references.resolve('receiver', parsed.value.receivers);
  const processors = references.resolve('processor', parsed.value.processors);
  const exporters = references.resolve('exporter', parsed.value.exporters);
  if ('error' in id || signal === undefined) return undefined;
  return { id: id.id, signal, receivers, processors, exporters };
}

class References {
  readonly #path: readonly string[];
  readonly #signal: Signal | undefined;
  readonly #definitions: Definitions;
  readonly #issues: IssueList;

  constructor(
    path: readonly string[],
    signal: Signal | undefined,
    definitions: Definitions,
    issues: IssueList,
  ) {
    this.#path = path;
    this.#signal = signal;
    this.#definitions = definitions;
    this.#issues = issues;
  }

  resolve(role: PipelineRole, texts: readonly string[]): string[] {
    const ids = new Set<string>();
    for (const [index, text] of texts.entries()) {
      const place = [...this.#path, SECTION_OF_KIND[role], index];
      const parsed = parseComponentId(text);
      if ('error' in parsed) {
        this.#issues.add(place, parsed.error);
        continue;
      }
      const { id } = parsed;
      // Connectors stand on either side of a pipeline; their own section reports that there are none yet.
      if (role !== 'processor' && this.#definitions.connector.has(id)) continue;
      const defined = this.#definitions[role];
      const component = defined.get(id);
      if (component === undefined) {
        const message = `references ${role} "${id}" which is not configured${didYouMean(id, defined.keys())}`;
        this.#issues.add(this.#path, message, place);
        continue;
      }
      if (ids.has(id) && role === 'processor') {
        this.#issues.add(this.#path, `references processor "${id}" multiple times`, place);
        continue;
      }
      this.#checkSignal(role, id, component.factory, place);
      this.#checkProcessor(id, component, place);
      ids.add(id);
    }
    return [...ids];
  }

  /** What the processor's own keys ask for and this signal does not have. */
  #checkProcessor(id: string, component: DefinedComponent, place: readonly (string | number)[]): void {
    const { factory, config, isValid } = component;
    if (!isValid || this.#signal === undefined || factory?.kind !== 'processor') return;
    for (const issue of factory.signalIssues?.(config, this.#signal) ?? []) {
      this.#issues.add(this.#path, `processor "${id}": ${issue}`, place);
    }
  }

  #checkSignal(
    role: PipelineRole,
    id: string,
    factory: AnyFactory | undefined,
    place: readonly (string | number)[],
  ): void {
    // Extensions have one stability, the others one for each signal that they take.
    if (factory === undefined || this.#signal === undefined || typeof factory.stability === 'string') return;
    if (factory.stability[this.#signal] !== undefined) return;
    const message = `${role} "${id}" does not take ${this.#signal}: telemetry type is not supported`;
    this.#issues.add(this.#path, message, place);
  }
}
