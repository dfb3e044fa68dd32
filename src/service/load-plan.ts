/** Reads the configuration of an engine with the factories that it needs: loading all of them takes longer than the rest. */
import type { AnyFactory } from '../component/factory.ts';
import { type CollectorConfigResult, planFrom } from '../config/collector-config.ts';
import { type NamedComponent, namedComponents } from '../config/components.ts';
import { processEnvironment } from '../config/expand.ts';
import { type ConfigSources, loadConfig } from '../config/load.ts';
import { COMPONENTS, type ComponentName } from '../registry/components.ts';
import { loadComponents } from '../registry/load.ts';

/**
 * Like `loadCollectorConfig`, with the same messages.
 *
 * @param registry gets the factories of what the configuration names, and keeps those of earlier ones.
 */
export async function loadPlan(
  sources: ConfigSources,
  registry: Map<string, AnyFactory>,
): Promise<CollectorConfigResult> {
  const loaded = loadConfig(sources, processEnvironment());
  const factories = await loadComponents(componentsFor(namedComponents(loaded.root)));
  for (const [name, factory] of factories) registry.set(name, factory);
  return planFrom(loaded, [...factories.values()]);
}

/** All there are when one of the names has none: the message about it lists them. */
function componentsFor(named: readonly NamedComponent[]): readonly ComponentName[] {
  const wanted: ComponentName[] = [];
  for (const { kind, types } of named) {
    const found = COMPONENTS.filter((each) => each.kind === kind && types.includes(each.type));
    if (found.length === 0) return COMPONENTS;
    wanted.push(...found);
  }
  return wanted;
}
