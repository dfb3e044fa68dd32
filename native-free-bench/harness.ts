/**
 * Runs variants of one job in turn and compares them with each other. A machine's speed changes from minute to
 * minute, the ratio of two variants measured side by side hardly does: only ratios decide.
 */
import { Bench } from 'tinybench';

export interface Gate {
  readonly fast: string;
  readonly slow: string;
  /** Least allowed quotient of slow's time and fast's time. */
  readonly atLeast: number;
}

export interface Suite {
  readonly name: string;
  /** What one item is: span, frame, value. */
  readonly item: string;
  readonly itemsPerOp: number;
  /** Input bytes of one operation, 0 when bytes are not what it works on. */
  readonly bytesPerOp: number;
  /** Each returns something that depends on its work, so that the work cannot be optimized away. */
  readonly variants: Readonly<Record<string, () => unknown>>;
  readonly gates: readonly Gate[];
}

export interface VariantResult {
  readonly usPerOp: number;
  readonly nsPerItem: number;
  readonly itemsPerSecond: number;
  readonly mibPerSecond: number;
}

export interface GateResult extends Gate {
  readonly ratio: number;
  readonly isMet: boolean;
}

export interface SuiteResult {
  readonly suite: Suite;
  readonly variants: Readonly<Record<string, VariantResult>>;
  readonly gates: readonly GateResult[];
}

export interface BenchSettings {
  /** Milliseconds of each variant in each round. */
  readonly timeMs: number;
  /** Variants alternate this many times; the best median of a variant counts, as noise only ever adds time. */
  readonly rounds: number;
}

const ITERATIONS_MIN = 10;

/**
 * Processor time, collector threads included: on a shared machine wall-clock time measures the neighbours too, and
 * work that garbage makes for other threads is not free either.
 */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Keeps results reachable. */
let sink: unknown;

function medianUs(name: string, run: () => unknown, timeMs: number): number {
  const bench = new Bench({
    time: timeMs,
    now: cpuMs,
    // Ten samples are the least for a median; more than that is up to the time, or slow variants take minutes.
    iterations: ITERATIONS_MIN,
    warmupTime: timeMs / 4,
    warmupIterations: 3,
    throws: true,
    retainSamples: true,
  });
  bench.add(name, () => {
    sink = run();
  });
  bench.runSync();
  const result = bench.tasks[0]?.result;
  if (result === undefined || !('latency' in result)) throw new Error(`${name} gave no samples`);
  return (result.latency.p50 ?? result.latency.mean) * 1_000;
}

export function judgeGate(gate: Gate, usPerOp: Readonly<Record<string, number>>): GateResult {
  const [slow, fast] = [usPerOp[gate.slow], usPerOp[gate.fast]];
  if (slow === undefined || fast === undefined)
    throw new RangeError(`gate names an unknown variant: ${gate.fast}, ${gate.slow}`);
  const ratio = slow / fast;
  return { ...gate, ratio, isMet: ratio >= gate.atLeast };
}

export function runSuite(suite: Suite, settings: BenchSettings): SuiteResult {
  const best: Record<string, number> = {};
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const [name, run] of Object.entries(suite.variants)) {
      best[name] = Math.min(
        best[name] ?? Number.POSITIVE_INFINITY,
        medianUs(`${suite.name}/${name}`, run, settings.timeMs),
      );
    }
  }
  const variants = Object.entries(best).map(([name, usPerOp]): [string, VariantResult] => [
    name,
    {
      usPerOp,
      nsPerItem: (usPerOp * 1_000) / suite.itemsPerOp,
      itemsPerSecond: (suite.itemsPerOp * 1e6) / usPerOp,
      mibPerSecond: (suite.bytesPerOp * 1e6) / usPerOp / (1024 * 1024),
    },
  ]);
  if (sink === undefined) throw new Error(`${suite.name}: variants must return something`);
  return {
    suite,
    variants: Object.fromEntries(variants),
    gates: suite.gates.map((gate) => judgeGate(gate, best)),
  };
}
