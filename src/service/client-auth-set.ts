/** Authenticators of the exporters of one worker thread: made when the first exporter asks, shared, ended last. */
import { type ClientAuthenticator, notClientAuthenticator } from '../component/auth.ts';
import type { ExtensionFactory } from '../component/factory.ts';
import type { ComponentSettings } from '../component/settings.ts';
import type { ComponentPlan } from '../config/collector-plan.ts';
import { findFactory, type Registry } from '../registry/registry.ts';

export class ClientAuthSet {
  readonly #registry: Registry;
  readonly #plans: readonly ComponentPlan[];
  readonly #settings: (id: string) => ComponentSettings;
  readonly #started = new Map<string, Promise<ClientAuthenticator>>();

  constructor(
    registry: Registry,
    plans: readonly ComponentPlan[],
    settings: (id: string) => ComponentSettings,
  ) {
    this.#registry = registry;
    this.#plans = plans;
    this.#settings = settings;
  }

  /**
   * @returns undefined when no extension of the service has this id.
   * @throws PipelineError START_FAILED when it is none for exporters or cannot start.
   */
  async find(id: string): Promise<ClientAuthenticator | undefined> {
    const plan = this.#plans.find((each) => each.id === id);
    if (plan === undefined) return undefined;
    const started = this.#started.get(id) ?? startClientAuth(this.#registry, plan, this.#settings(id));
    this.#started.set(id, started);
    return await started;
  }

  async shutdown(deadlineMs: number): Promise<void> {
    const settled = await Promise.allSettled(this.#started.values());
    for (const each of settled) if (each.status === 'fulfilled') await each.value.shutdown(deadlineMs);
  }
}

/**
 * An authenticator of its own, which the caller ends.
 * @throws PipelineError START_FAILED when the extension is none for clients or cannot start.
 */
export async function startClientAuth(
  registry: Registry,
  { id, type, config }: ComponentPlan,
  settings: ComponentSettings,
): Promise<ClientAuthenticator> {
  const factory = findFactory(registry, 'extension', type) as ExtensionFactory<unknown>;
  const made = await factory.createClientAuth?.(settings, config);
  if (made === undefined) throw notClientAuthenticator(id);
  await made.start();
  return made;
}
