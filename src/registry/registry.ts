/** Maps kind and type to factories; twins are refused. */
import { PipelineError } from '../component/errors.ts';
import type { AnyFactory, ComponentKind } from '../component/factory.ts';

export type Registry = ReadonlyMap<string, AnyFactory>;

/** @throws PipelineError INTERNAL when two factories claim the same kind and type. */
export function createRegistry(factories: readonly AnyFactory[]): Registry {
  const registry = new Map<string, AnyFactory>();
  for (const factory of factories) {
    const key = `${factory.kind}/${factory.type}`;
    if (registry.has(key)) {
      throw new PipelineError('INTERNAL', `two factories for ${key}`, { permanent: true });
    }
    registry.set(key, factory);
  }
  return registry;
}

/** @throws PipelineError CONFIG_INVALID when there is none. */
export function findFactory(registry: Registry, kind: ComponentKind, type: string): AnyFactory {
  const factory = registry.get(`${kind}/${type}`);
  if (factory === undefined) {
    throw new PipelineError('CONFIG_INVALID', `no ${kind} of type "${type}"`, { permanent: true });
  }
  return factory;
}
