/** A whole configuration: from `--config` to a typed plan, or to all that is wrong with it. */
import { parseComponentId } from '../component/component-id.ts';
import type { AnyFactory, ComponentKind, ExporterFactory, ExtensionFactory } from '../component/factory.ts';
import { didYouMean } from '../stdx/nearest.ts';
import { checkAuthenticators } from './authenticators.ts';
import type { CollectorPlan, ComponentPlan, PipelinePlan } from './collector-plan.ts';
import { type DefinedComponents, readComponents, SECTION_OF_KIND } from './components.ts';
import { type ConfigNode, formatIssue, plainValue, type SourceIssue } from './config-node.ts';
import { processEnvironment } from './expand.ts';
import { describeValue, yamlValue } from './expanded-text.ts';
import { anything, section, stringList } from './field-kinds.ts';
import { IssueList, sortedIssues } from './issue-list.ts';
import { type ConfigSources, type LoadedConfig, loadConfig, parseConfig } from './load.ts';
import { type Definitions, readPipelines } from './pipelines.ts';
import { defineConfig, readDefaults } from './schema.ts';
import type { Environment } from './source-text.ts';
import { telemetryShape } from './telemetry-config.ts';
import type { TelemetryPlan } from './telemetry-plan.ts';

export type CollectorConfigResult =
  | { plan: CollectorPlan; issues?: undefined }
  | { plan?: undefined; issues: SourceIssue[]; warnings: string[] };

interface ServiceKeys {
  extensions: string[];
  pipelines: unknown;
  telemetry: TelemetryPlan;
}

const SECTIONS = [...Object.values(SECTION_OF_KIND), 'service'];

const serviceSchema = defineConfig<ServiceKeys>({
  extensions: stringList('extensions', {
    default: [],
    doc: 'Ids of the extensions to start, in this order.',
  }),
  pipelines: anything('pipelines', { doc: 'Map of `signal` or `signal/name` to a pipeline.' }),
  telemetry: section('telemetry', telemetryShape, { doc: "The engine's own telemetry." }),
});

/**
 * Loads, merges, expands and checks a configuration; opens nothing but its files.
 *
 * @param sources one value of `--config` (a path, or a URI `file:PATH`, `env:NAME`, `yaml:TEXT`), or all of them.
 * @param factories every component that this build has.
 * @param environment for references; the process's own unless given.
 * @returns the plan, or every issue in the order of the files: print them with `formatIssue`.
 */
export function loadCollectorConfig(
  sources: string | ConfigSources,
  factories: Iterable<AnyFactory>,
  environment: Environment = processEnvironment(),
): CollectorConfigResult {
  const all = typeof sources === 'string' ? { configs: [sources] } : sources;
  return planFrom(loadConfig(all, environment), [...factories]);
}

/** The same for a text that is already there; `file` is the name that issues carry. */
export function parseCollectorConfig(
  file: string,
  text: string,
  factories: Iterable<AnyFactory>,
  environment: Environment = processEnvironment(),
): CollectorConfigResult {
  return planFrom(parseConfig(file, text, environment), [...factories]);
}

/** The plan of a tree that was loaded already. */
export function planFrom(loaded: LoadedConfig, factories: readonly AnyFactory[]): CollectorConfigResult {
  const { root, files } = loaded;
  const issues = new IssueList(root ?? NOTHING, loaded.warnings);
  const plan = root === undefined ? undefined : readConfig(yamlValue(plainValue(root)), factories, issues);
  const warnings = sortedIssues(issues.warnings, files).map(formatIssue);
  const all = [...loaded.issues, ...issues.issues.filter((issue) => !isConsequence(issue, loaded.issues))];
  if (all.length > 0 || plan === undefined) return { issues: sortedIssues(all, files), warnings };
  return { plan: { ...plan, warnings } };
}

const NOTHING: ConfigNode = { kind: 'scalar', value: null, at: { file: '', line: 1, column: 1 } };

/** A value that could not be loaded is null in the tree: what is wrong with that null is not worth a line. */
function isConsequence(issue: SourceIssue, loadIssues: readonly SourceIssue[]): boolean {
  return loadIssues.some(
    ({ path, keepsValue }) => keepsValue !== true && path !== '' && `${issue.path}::`.startsWith(`${path}::`),
  );
}

type Plan = Omit<CollectorPlan, 'warnings'>;

function readConfig(raw: unknown, factories: readonly AnyFactory[], issues: IssueList): Plan | undefined {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    issues.add([], `expected a map of sections, got ${describeValue(raw)}`);
    return undefined;
  }
  for (const key of Object.keys(raw)) {
    if (!SECTIONS.includes(key)) issues.addKey([], key, `unknown key "${key}"${didYouMean(key, SECTIONS)}`);
  }
  const root = new Map<string, unknown>(Object.entries(raw));
  const definitions = readDefinitions(root, factories, issues);
  for (const kind of ['receiver', 'exporter'] as const) {
    const name = SECTION_OF_KIND[kind];
    const isMissing = isEmptyMap(root.get(name)) && definitions.connector.size === 0;
    if (isMissing) issues.add([name], `no ${kind} configuration specified in config`);
  }
  const service = serviceSchema.parse(root.get('service'));
  issues.addParsed(['service'], service);
  // Pipelines are checked even when another key of the section is wrong: everything in one run.
  const keys = service.value ?? brokenService(root.get('service'));
  const pipelines = isMap(root.get('service') ?? {})
    ? readPipelines(keys.pipelines, definitions, issues)
    : [];
  const extensions = readExtensions(keys.extensions, definitions.extension, issues);
  checkStorages(definitions, extensions, service.value !== undefined, issues);
  checkAuthenticators(definitions, service.value === undefined ? undefined : extensions, issues);
  warnUnused(definitions, pipelines, extensions, issues);
  const used = (kind: 'receiver' | 'processor' | 'exporter') => {
    const ids = new Set(pipelines.flatMap((pipeline) => pipeline[`${kind}s`]));
    return componentPlans(
      definitions[kind],
      [...definitions[kind].keys()].filter((id) => ids.has(id)),
    );
  };
  return {
    receivers: used('receiver'),
    processors: used('processor'),
    exporters: used('exporter'),
    extensions: componentPlans(definitions.extension, extensions),
    pipelines,
    telemetry: keys.telemetry,
  };
}

function isMap(raw: unknown): boolean {
  const value = yamlValue(raw);
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmptyMap(raw: unknown): boolean {
  const value = yamlValue(raw) ?? {};
  return isMap(value) && Object.keys(value).length === 0;
}

function readDefinitions(
  root: ReadonlyMap<string, unknown>,
  factories: readonly AnyFactory[],
  issues: IssueList,
): Definitions {
  const read = (kind: ComponentKind) =>
    readComponents(kind, root.get(SECTION_OF_KIND[kind]), factories, issues);
  const definitions: Definitions = {
    receiver: read('receiver'),
    processor: read('processor'),
    exporter: read('exporter'),
    connector: read('connector'),
    extension: read('extension'),
  };
  for (const kind of ['receiver', 'exporter'] as const) {
    for (const [id, connector] of definitions.connector) {
      if (!definitions[kind].has(id)) continue;
      const message = `ambiguous ID: Found both "${id}" ${kind} and "${id}" connector`;
      issues.add(['connectors', connector.key], message);
    }
  }
  return definitions;
}

/** What can be read of a service section that has issues; they are reported already. */
function brokenService(raw: unknown): ServiceKeys {
  const map = new Map<string, unknown>(Object.entries(yamlValue(raw) ?? {}));
  const parsed = serviceSchema.parse({ extensions: map.get('extensions') });
  return {
    extensions: parsed.value?.extensions ?? [],
    pipelines: map.get('pipelines'),
    telemetry: readDefaults(telemetryShape),
  };
}

function readExtensions(texts: readonly string[], defined: DefinedComponents, issues: IssueList): string[] {
  const ids = new Set<string>();
  texts.forEach((text, index) => {
    const place = ['service', 'extensions', index];
    const parsed = parseComponentId(text);
    if ('error' in parsed) issues.add(place, parsed.error);
    else if (defined.has(parsed.id)) ids.add(parsed.id);
    else {
      const message = `references extension "${parsed.id}" which is not configured${didYouMean(parsed.id, defined.keys())}`;
      issues.add(['service', 'extensions'], message, place);
    }
  });
  return [...ids];
}

/** `sending_queue::storage` must name a storage extension that is started. */
function checkStorages(
  definitions: Definitions,
  started: readonly string[],
  isServiceRead: boolean,
  issues: IssueList,
): void {
  for (const { key, config, factory, isValid } of definitions.exporter.values()) {
    if (!isValid || factory?.kind !== 'exporter') continue;
    const storage = (factory as ExporterFactory<unknown>).delivery(config).queue.storage;
    if (storage === undefined) continue;
    const path = ['exporters', key, 'sending_queue', 'storage'];
    const extension = definitions.extension.get(storage);
    const name = `references extension "${storage}"`;
    if (extension === undefined) {
      const hint = didYouMean(storage, definitions.extension.keys());
      issues.add(path, `${name} which is not configured${hint}`);
    } else if (extension.factory !== undefined && !isStorage(extension.factory)) {
      issues.add(path, `${name} which is not a storage extension`);
    } else if (isServiceRead && !started.includes(storage)) {
      issues.add(path, `${name} which is not listed in service::extensions`);
    }
  }
}

function isStorage(factory: AnyFactory): factory is ExtensionFactory<unknown> {
  return factory.kind === 'extension' && factory.storageDirectory !== undefined;
}

function warnUnused(
  definitions: Definitions,
  pipelines: readonly PipelinePlan[],
  extensions: readonly string[],
  issues: IssueList,
): void {
  const used = {
    receiver: new Set(pipelines.flatMap((pipeline) => pipeline.receivers)),
    processor: new Set(pipelines.flatMap((pipeline) => pipeline.processors)),
    exporter: new Set(pipelines.flatMap((pipeline) => pipeline.exporters)),
    extension: new Set(extensions),
  };
  for (const kind of ['receiver', 'processor', 'exporter', 'extension'] as const) {
    const where = kind === 'extension' ? 'service::extensions' : 'any pipeline';
    for (const [id, { key }] of definitions[kind]) {
      if (used[kind].has(id)) continue;
      issues.warn([SECTION_OF_KIND[kind], key], `is configured but not used in ${where}`);
    }
  }
}

function componentPlans(defined: DefinedComponents, ids: readonly string[]): ComponentPlan[] {
  return ids.flatMap((id) => {
    const component = defined.get(id);
    if (component?.factory === undefined) return [];
    return [{ id, type: component.factory.type, config: component.config }];
  });
}
