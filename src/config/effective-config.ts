/** A configuration as it takes effect: references replaced, defaults filled in, keys under their present names. */
import type { AnyFactory, ComponentKind } from '../component/factory.ts';
import { planFrom } from './collector-config.ts';
import type { CollectorPlan } from './collector-plan.ts';
import { findFactory, SECTION_OF_KIND } from './components.ts';
import { plainValue, type SourceIssue } from './config-node.ts';
import { processEnvironment } from './expand.ts';
import { readAs, yamlValue } from './expanded-text.ts';
import { type ConfigSources, loadConfig } from './load.ts';
import { type LeafField, type SectionField, type Shape, shapeOf } from './schema.ts';
import type { Environment } from './source-text.ts';
import { telemetryShape } from './telemetry-config.ts';

export type EffectiveConfigResult =
  | { config: Readonly<Record<string, unknown>>; issues?: undefined; warnings: string[] }
  | { config?: undefined; issues: SourceIssue[]; warnings: string[] };

export interface EffectiveConfigOptions {
  /** Secrets read `[REDACTED]`. Without it the result, loaded again, gives the same plan. */
  isRedacted: boolean;
}

type Properties = Readonly<Record<string, unknown>>;

/**
 * Loads and checks a configuration like `loadCollectorConfig`, and gives it back in the Collector's own form as
 * plain data. Keys without effect are left out; components that no pipeline uses are kept.
 *
 * @returns the configuration, or every issue.
 */
export function loadEffectiveConfig(
  sources: ConfigSources,
  factories: Iterable<AnyFactory>,
  options: EffectiveConfigOptions,
  environment: Environment = processEnvironment(),
): EffectiveConfigResult {
  const all = [...factories];
  const loaded = loadConfig(sources, environment);
  const { plan, ...failed } = planFrom(loaded, all);
  if (plan === undefined) return failed as Extract<EffectiveConfigResult, { config?: undefined }>;
  const root = ownMap(plainValue(loaded.root!));
  const printer = new EffectivePrinter(options.isRedacted);
  const sections = (Object.keys(SECTION_OF_KIND) as ComponentKind[]).flatMap((kind) => {
    const section = SECTION_OF_KIND[kind];
    const components = Object.entries(ownMap(root[section])).map(([key, raw]) => {
      return [
        key
          .split('/')
          .map((part) => part.trim())
          .join('/'),
        printer.component(kind, key, raw, all),
      ];
    });
    return components.length === 0 ? [] : [[section, Object.fromEntries(components)]];
  });
  const service = printer.service(ownMap(root.service), plan);
  return { config: Object.fromEntries([...sections, ['service', service]]), warnings: plan.warnings };
}

function ownMap(raw: unknown): Properties {
  return (yamlValue(raw) ?? {}) as Properties;
}

/** Works on values that were checked: every type is as its field wants it. */
class EffectivePrinter {
  readonly #isRedacted: boolean;

  constructor(isRedacted: boolean) {
    this.#isRedacted = isRedacted;
  }

  component(kind: ComponentKind, key: string, raw: unknown, factories: readonly AnyFactory[]): Properties {
    const type = key.split('/')[0]!.trim();
    const found = findFactory(kind, type, key, factories);
    return 'error' in found ? {} : this.map(shapeOf(found.factory.configSchema), raw);
  }

  service(raw: Properties, plan: CollectorPlan): Properties {
    const telemetry = this.map(telemetryShape, raw.telemetry);
    const metrics = ownMap(telemetry.metrics);
    const { prometheus } = plan.telemetry.metrics;
    // The endpoint of the default, or of the old key `address`, in the present form.
    const reader = { pull: { exporter: { prometheus } } };
    const isImplied = metrics.readers === undefined && prometheus !== undefined;
    const { address: _, ...others } = metrics;
    const pipelines = plan.pipelines.map(({ id, receivers, processors, exporters }) => {
      return [id, { receivers, processors, exporters }];
    });
    return {
      extensions: plan.extensions.map(({ id }) => id),
      pipelines: Object.fromEntries(pipelines),
      telemetry: { ...telemetry, metrics: isImplied ? { ...others, readers: [reader] } : others },
    };
  }

  map(shape: Shape<unknown>, raw: unknown): Properties {
    return Object.fromEntries(this.#entries(shape, ownMap(raw)));
  }

  #entries(shape: Shape<unknown>, map: Properties): [string, unknown][] {
    return Object.values(shape.table).flatMap((field): [string, unknown][] => {
      if (field.form === 'squash') return this.#entries(field.shape, map);
      const value =
        field.form === 'leaf'
          ? this.#leaf(field, ownValue(map, field.key) ?? ownValue(map, field.oldKey))
          : field.form === 'section'
            ? this.#section(field, ownValue(map, field.key))
            : this.#items(field.itemShape, ownValue(map, field.key));
      return value === undefined ? [] : [[field.key, value]];
    });
  }

  #section(field: SectionField<unknown>, raw: unknown): Properties | undefined {
    if (!field.optional) return this.map(field.shape, raw);
    const isOff = raw === undefined || yamlValue(ownMap(raw).enabled) === false;
    if (isOff && !(raw !== undefined && field.shape.keys.has('enabled'))) return undefined;
    return this.map(field.shape, raw);
  }

  #items(shape: Shape<unknown>, raw: unknown): Properties[] | undefined {
    const items = yamlValue(raw);
    return Array.isArray(items) ? items.map((item) => this.map(shape, item)) : undefined;
  }

  #leaf(field: LeafField<unknown>, raw: unknown): unknown {
    const written = readAs(raw, field.reading) ?? field.defaultYaml;
    if (written === undefined) return undefined;
    const parsed = field.schema.parse(written);
    // Text that stands for a list is shown as the list; all else as it was written.
    const value = Array.isArray(parsed) && !Array.isArray(written) ? parsed : written;
    return this.#isRedacted ? field.redact(value) : value;
  }
}

function ownValue(map: Properties, key: string | undefined): unknown {
  return key !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}
