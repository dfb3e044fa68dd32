import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SamplerSettings } from '../processors/tail_sampling/sampler-settings.ts';
import { Prng } from '../stdx/prng.ts';
import { Crash, type SpanModel, spansIn, World } from './holding-world.test-peer.ts';

/** Seconds of real time for each kind of configuration. */
const SECONDS = Number(process.env.MILLRACE_SIMULATION_SECONDS ?? 2);

interface Trace {
  number: number;
  isKept: boolean;
  spansLeft: number;
  hasRoot: boolean;
  /** The span that has it kept goes first, so that late ones find it decided like that. */
  isBegun: boolean;
  bornMs: number;
  /** Nobody knows whether the span that has it kept was stored. */
  isUnsure: boolean;
}

class Simulation {
  readonly prng: Prng;
  readonly world: World;
  readonly acked = new Map<number, Trace>();
  readonly uncertain = new Map<number, Trace>();
  #traces: Trace[] = [];
  #nextTrace = 0;
  #nextSpan = 0;
  crashes = 0;

  constructor(settings: Partial<SamplerSettings>, seed: number) {
    this.prng = new Prng(seed);
    this.world = new World(settings, this.prng);
  }

  #drawTrace(): Trace {
    // Shorter than any wait, so that what comes late is still remembered after a crash.
    const { nowMs } = this.world;
    this.#traces = this.#traces.filter(({ bornMs }) => nowMs - bornMs < 2000);
    if (this.#traces.length === 0 || this.prng.nextInt(3) === 0) {
      const isKept = this.prng.nextInt(4) === 0;
      const spansLeft = 1 + this.prng.nextInt(8);
      const trace = { number: this.#nextTrace++, isKept, spansLeft, bornMs: nowMs };
      this.#traces.push({ ...trace, hasRoot: false, isBegun: false, isUnsure: isKept });
    }
    return this.#traces[this.prng.nextInt(this.#traces.length)]!;
  }

  #drawSpan(): { model: SpanModel; trace: Trace } {
    const trace = this.#drawTrace();
    let name: SpanModel['name'] = 'work';
    if (trace.isKept && !trace.isBegun) name = 'keep';
    else if (!trace.hasRoot && this.prng.nextInt(4) === 0) name = 'root';
    if (name === 'root') trace.hasRoot = true;
    trace.isBegun = true;
    if (--trace.spansLeft === 0) this.#traces = this.#traces.filter((each) => each !== trace);
    return { model: { trace: trace.number, span: this.#nextSpan++, name }, trace };
  }

  async #request(): Promise<void> {
    const drawn = Array.from({ length: 1 + this.prng.nextInt(12) }, () => this.#drawSpan());
    for (const { model, trace } of drawn) this.uncertain.set(model.span, trace);
    // A sender that got no answer sends again under the same ids; here it gives up, which is harder to get right.
    const isAcked = await this.world.send(drawn.map(({ model }) => model));
    for (const { model, trace } of drawn) {
      if (!isAcked) continue;
      if (model.name === 'keep') trace.isUnsure = false;
      this.acked.set(model.span, trace);
      this.uncertain.delete(model.span);
    }
  }

  async #act(): Promise<void> {
    if (this.prng.nextInt(3) > 0) await this.#request();
    else {
      this.world.nowMs += this.prng.nextInt(700);
      await this.world.stage.stepOnce();
    }
  }

  async run(actions: number): Promise<void> {
    await this.world.open();
    this.world.fuse.left = this.prng.nextInt(200);
    for (let action = 0; action < actions; action++) await this.#surviving(() => this.#act());
    this.world.fuse.left = Number.POSITIVE_INFINITY;
    for (let idle = 0; idle < 400; idle++) {
      this.world.nowMs += 100;
      await this.world.stage.stepOnce();
    }
  }

  async #surviving(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.crashes++;
      this.world.crash();
      this.world.nowMs += this.prng.nextInt(300);
      // It may die again while it is starting.
      await this.#surviving(async () => {
        this.world.fuse.left = this.prng.nextInt(200);
        await this.world.open();
      });
    }
  }

  check(): void {
    const delivered = spansIn(this.world.output);
    const seen = new Set(delivered);
    assert.equal(seen.size, delivered.length, 'a span was delivered twice');
    for (const [span, { isKept, isUnsure, number }] of this.acked) {
      if (isUnsure) continue;
      const message = `span ${span} of trace ${number}`;
      assert.equal(seen.has(span), isKept, isKept ? `${message} is lost` : `${message} was dropped`);
    }
    for (const [span, { isKept }] of this.uncertain)
      if (seen.has(span)) assert.ok(isKept, 'an unanswered span of a dropped trace came out');
  }
}

const KINDS: Record<string, Partial<SamplerSettings>> = {
  'a wait from the first span': {},
  'a shorter wait from the root': { decisionWaitAfterRootMs: 1000 },
  'decisions as spans arrive': { decidesAtIngest: true },
  'decisions that are remembered': { sampledCacheSize: 5000, nonSampledCacheSize: 5000 },
};

for (const [kind, settings] of Object.entries(KINDS)) {
  test(`whatever dies when, kept traces come out whole and once: ${kind}`, async (context) => {
    const deadline = performance.now() + SECONDS * 1000;
    let crashes = 0;
    let runs = 0;
    for (let seed = Date.now() >>> 0; performance.now() < deadline; seed++, runs++) {
      const simulation = new Simulation(settings, seed);
      try {
        await simulation.run(150);
        simulation.check();
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      crashes += simulation.crashes;
    }
    context.diagnostic(`${runs} worlds, ${crashes} crashes`);
    assert.ok(runs > 3 && crashes > 3);
  });
}
