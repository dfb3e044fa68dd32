/** The running extensions, in the order of their start; a reload replaces only those that changed. */
import { isDeepStrictEqual } from 'node:util';
import type { ClientAuthenticator } from '../component/auth.ts';
import type { Component } from '../component/component.ts';
import type { ExtensionFactory } from '../component/factory.ts';
import type { ComponentSettings, Logger } from '../component/settings.ts';
import type { ComponentPlan } from '../config/collector-plan.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import { startClientAuth } from './client-auth-set.ts';
import type { StatusBoard } from './status-board.ts';

interface Running {
  plan: ComponentPlan;
  component: Component;
  /** Made when the first receiver asks. */
  clientAuth?: Promise<ClientAuthenticator>;
}

export interface ExtensionSetOptions {
  registry: Registry;
  logger: Logger;
  board: StatusBoard;
  settings(id: string): ComponentSettings;
}

export class ExtensionSet {
  readonly #options: ExtensionSetOptions;
  readonly #running: Running[] = [];

  constructor(options: ExtensionSetOptions) {
    this.#options = options;
  }

  /** Only those that run: one that is being exchanged is not found. */
  find(id: string): Component | undefined {
    return this.#running.find(({ plan }) => plan.id === id)?.component;
  }

  /**
   * The credentials that a running extension gives receivers, which reach out for their data; ended with the extension.
   * @throws PipelineError START_FAILED when it is none for clients or cannot start.
   */
  async findClientAuth(id: string): Promise<ClientAuthenticator | undefined> {
    const running = this.#running.find(({ plan }) => plan.id === id);
    if (running === undefined) return undefined;
    const { registry, settings } = this.#options;
    const made = running.clientAuth ?? startClientAuth(registry, running.plan, settings(id));
    running.clientAuth = made;
    // Another one may ask when its file is there.
    made.catch(() => {
      delete running.clientAuth;
    });
    return made;
  }

  /** Whether `apply` would stop or start any. */
  differs(plans: readonly ComponentPlan[]): boolean {
    return !isDeepStrictEqual(
      this.#running.map(({ plan }) => plan),
      plans,
    );
  }

  /**
   * Ends those that are gone or changed, the last one first, then starts what is missing in the plan's order.
   * @throws PipelineError of the first that could not start.
   */
  async apply(plans: readonly ComponentPlan[], deadlineMs: number): Promise<void> {
    const isKept = ({ plan }: Running) => plans.some((other) => isDeepStrictEqual(plan, other));
    for (const running of this.#running.filter((each) => !isKept(each)).reverse()) {
      await this.#end(running, deadlineMs);
      if (!plans.some(({ id }) => id === running.plan.id))
        this.#options.board.forget('extension', running.plan.id);
    }
    for (const plan of plans) {
      if (!this.#running.some((running) => running.plan.id === plan.id)) await this.#start(plan);
    }
    this.#running.sort((a, b) => positionOf(a, plans) - positionOf(b, plans));
  }

  async shutdown(deadlineMs: number): Promise<void> {
    for (const running of [...this.#running].reverse()) await this.#end(running, deadlineMs);
  }

  async #start(plan: ComponentPlan): Promise<void> {
    const { registry, settings, board } = this.#options;
    const factory = findFactory(registry, 'extension', plan.type) as ExtensionFactory<unknown>;
    board.set('extension', plan.id, 'starting');
    const component = await factory.create(settings(plan.id), plan.config);
    const running = { plan, component };
    this.#running.push(running);
    try {
      await component.start();
    } catch (error) {
      board.set('extension', plan.id, 'permanent_error', 'could not be started');
      await this.#end(running, 0);
      throw error;
    }
    board.set('extension', plan.id, 'ok');
  }

  async #end(running: Running, deadlineMs: number): Promise<void> {
    const { board, logger } = this.#options;
    const { id } = running.plan;
    board.set('extension', id, 'stopping');
    this.#running.splice(this.#running.indexOf(running), 1);
    const clientAuth = await running.clientAuth?.catch(() => undefined);
    await clientAuth?.shutdown(deadlineMs);
    await running.component.shutdown(deadlineMs).catch((error: unknown) => {
      logger.error('an extension did not stop cleanly', { component: id, error: String(error) });
    });
    board.set('extension', id, 'stopped');
  }
}

function positionOf(running: Running, plans: readonly ComponentPlan[]): number {
  return plans.findIndex(({ id }) => id === running.plan.id);
}
