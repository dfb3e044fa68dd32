/** The running receivers, each behind a gate; a reload replaces only those whose own configuration changed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Component } from '../component/component.ts';
import type { RequestConsumer } from '../component/consumer.ts';
import type { ReceiverFactory } from '../component/factory.ts';
import type { ComponentSettings, Logger } from '../component/settings.ts';
import type { ComponentPlan } from '../config/collector-plan.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { ConsumerGate } from './consumer-gate.ts';
import type { StatusBoard } from './status-board.ts';
import { WaitingRoom } from './waiting-room.ts';

/** The operating system may need a moment until the address of a listener that was closed is free. */
const ADDRESS_TRIES = 20;
const ADDRESS_RETRY_MS = 10;

/** A data path, as receivers see it. */
export interface ConsumerSource {
  consumerFor(receiverId: string): RequestConsumer;
}

interface Running {
  plan: ComponentPlan;
  gate: ConsumerGate;
  component: Component;
}

export interface ReceiverSetOptions {
  registry: Registry;
  clock: Clock;
  logger: Logger;
  board: StatusBoard;
  settings(id: string): ComponentSettings;
}

export class ReceiverSet {
  readonly #options: ReceiverSetOptions;
  readonly #running = new Map<string, Running>();
  readonly #room: WaitingRoom;
  #source: ConsumerSource | undefined;

  constructor(options: ReceiverSetOptions) {
    this.#options = options;
    this.#room = new WaitingRoom(options.clock);
  }

  get ids(): string[] {
    return [...this.#running.keys()];
  }

  /** Requests that wait for a data path. */
  get waitingCount(): number {
    return this.#room.count;
  }

  /** Every receiver writes to this data path; while it is undefined requests wait, within bounds. */
  connect(source: ConsumerSource | undefined): void {
    this.#source = source;
    for (const [id, { gate }] of this.#running) {
      if (source === undefined) gate.close();
      else gate.open(source.consumerFor(id));
    }
    if (source !== undefined) this.#room.look();
  }

  /** Ends those that the plan does not have any more, while the engine still answers what they took. */
  async removeAllBut(plans: readonly ComponentPlan[], deadlineMs: number): Promise<void> {
    const kept = new Set(plans.map(({ id }) => id));
    const gone = this.ids.filter((id) => !kept.has(id));
    await Promise.all(gone.map((id) => this.#end(id, deadlineMs)));
    for (const id of gone) this.#options.board.forget('receiver', id);
  }

  /**
   * Starts what is new and replaces what changed; the data path must be connected.
   * @throws PipelineError of the first that could not start. The one it should replace is gone then, too.
   */
  async apply(plans: readonly ComponentPlan[], deadlineMs: number): Promise<void> {
    for (const plan of plans) {
      const { signals } = this.#source!.consumerFor(plan.id);
      const running = this.#running.get(plan.id);
      if (running !== undefined && isDeepStrictEqual(running.plan, plan)) continue;
      if (signals.size === 0) await this.#end(plan.id, deadlineMs);
      else if (running === undefined) await this.#start(plan);
      else if (!(await this.#startBeside(plan, deadlineMs))) await this.#startInPlace(plan, deadlineMs);
    }
  }

  /** Finishes what was taken; what still waits for a data path is refused retryably. */
  async shutdown(deadlineMs: number): Promise<void> {
    this.#room.refuseAll();
    await Promise.all(this.ids.map((id) => this.#end(id, deadlineMs)));
  }

  /** On other addresses the new one can listen before the old one stops, and no connection is refused. */
  async #startBeside(plan: ComponentPlan, deadlineMs: number): Promise<boolean> {
    const old = this.#running.get(plan.id)!;
    const started = await this.#create(plan);
    try {
      await started.component.start();
    } catch {
      // The old one has the address. Any other reason comes back when the new one is started in its place.
      return false;
    }
    this.#running.set(plan.id, started);
    await this.#shutdown(old, deadlineMs);
    return true;
  }

  /**
   * On the same address: the old one stops to listen with the call of its shutdown, and the new one takes the address
   * while the old one still answers what it took. Clients that connect in the few milliseconds between are refused;
   * sharing the address would close that gap, but would let a second engine take it, too.
   */
  async #startInPlace(plan: ComponentPlan, deadlineMs: number): Promise<void> {
    const ending = this.#shutdown(this.#running.get(plan.id)!, deadlineMs);
    this.#running.delete(plan.id);
    try {
      for (let tries = 1; !this.#running.has(plan.id); tries++) {
        await this.#start(plan).catch(async (error: unknown) => {
          if (tries === ADDRESS_TRIES) throw error;
          await sleep(ADDRESS_RETRY_MS);
        });
      }
    } finally {
      await ending;
    }
  }

  async #start(plan: ComponentPlan): Promise<void> {
    const { board } = this.#options;
    board.set('receiver', plan.id, 'starting');
    const started = await this.#create(plan);
    this.#running.set(plan.id, started);
    try {
      await started.component.start();
    } catch (error) {
      this.#running.delete(plan.id);
      board.set('receiver', plan.id, 'permanent_error', 'could not be started');
      throw error;
    }
    board.set('receiver', plan.id, 'ok');
  }

  async #create(plan: ComponentPlan): Promise<Running> {
    const { registry, settings } = this.#options;
    const factory = findFactory(registry, 'receiver', plan.type) as ReceiverFactory<unknown>;
    const gate = new ConsumerGate(this.#room);
    gate.open(this.#source!.consumerFor(plan.id));
    return { plan, gate, component: await factory.create(settings(plan.id), plan.config, gate) };
  }

  async #end(id: string, deadlineMs: number): Promise<void> {
    const running = this.#running.get(id);
    if (running === undefined) return;
    const { board } = this.#options;
    board.set('receiver', id, 'stopping');
    await this.#shutdown(running, deadlineMs);
    this.#running.delete(id);
    board.set('receiver', id, 'stopped');
  }

  async #shutdown({ plan, component }: Running, deadlineMs: number): Promise<void> {
    await component.shutdown(deadlineMs).catch((error: unknown) => {
      this.#options.logger.error('a receiver did not stop cleanly', {
        component: plan.id,
        error: String(error),
      });
    });
  }
}
