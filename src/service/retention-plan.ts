/** Which logs keep what was delivered, and how long: `retain` of their storage extension, else `--retain`. */
import type { ExtensionFactory, RetentionConfig } from '../component/factory.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import type { Retention } from '../queue/log/contract.ts';
import { findFactory, type Registry } from '../registry/registry.ts';

/** What logs of one directory retain together; each log adds its words. */
export type RetentionPlan = Retention & { logs: SharedArrayBuffer[] };

/** One plan for each storage: `size` is a bound on all logs in a directory. */
export class RetentionPlans {
  readonly #plan: CollectorPlan;
  readonly #registry: Registry;
  readonly #usual: RetentionConfig | undefined;
  readonly #byStorage = new Map<string | undefined, RetentionPlan | undefined>();

  /** @param usual of logs in `--data-dir`, and of storages that do not say anything. */
  constructor(plan: CollectorPlan, registry: Registry, usual: RetentionConfig | undefined) {
    this.#plan = plan;
    this.#registry = registry;
    this.#usual = usual;
  }

  /** @returns undefined when nothing is retained there. */
  of(storage: string | undefined): RetentionPlan | undefined {
    if (!this.#byStorage.has(storage)) {
      const { timeMs, sizeBytes } = this.#ownOf(storage) ?? this.#usual ?? {};
      const isRetained = timeMs !== undefined || sizeBytes !== undefined;
      const bounds = {
        ...(timeMs === undefined ? {} : { timeMs }),
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
      };
      this.#byStorage.set(storage, isRetained ? { ...bounds, logs: [] } : undefined);
    }
    return this.#byStorage.get(storage);
  }

  #ownOf(storage: string | undefined): RetentionConfig | undefined {
    const extension = this.#plan.extensions.find(({ id }) => id === storage);
    if (extension === undefined) return undefined;
    const factory = findFactory(this.#registry, 'extension', extension.type) as ExtensionFactory<unknown>;
    return factory.retention?.(extension.config);
  }
}
