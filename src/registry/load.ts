/** Loads the components that somebody uses: a thread that loads them all spends most of its start on that. */
import { COMPONENTS, type ComponentName } from './components.ts';
import { createRegistry, type Registry } from './registry.ts';

/** @returns the factories of these names; those that are of no component are missing, and `findFactory` says so. */
export async function loadComponents(names: Iterable<ComponentName>): Promise<Registry> {
  const wanted = new Set(Array.from(names, ({ kind, type }) => `${kind}/${type}`));
  const found = COMPONENTS.filter(({ kind, type }) => wanted.has(`${kind}/${type}`));
  return createRegistry(await Promise.all(found.map((entry) => entry.load())));
}
