/** How many machines two tiers need: arithmetic on what scenarios have measured, without any of its own measuring. */

/** CPU-us a span, each of the engine alone. */
export interface TierCosts {
  /** OTLP in, flushed, one record a trace out to Kafka. */
  readonly gatewayUs: number;
  /** Kafka in, flushed. */
  readonly consumeUs: number;
  /** Tail sampling on top of that, for a span that comes in. */
  readonly samplingUs: number;
  /** ClickHouse and S3 out, for a span that is kept. */
  readonly deliverUs: number;
  readonly bytesPerTrace: number;
}

export interface TierLoad {
  readonly spansPerSecond: number;
  readonly spansPerTrace: number;
  readonly bytesPerSpan: number;
  /** 0 to 1. */
  readonly keptShare: number;
  readonly decisionWaitSeconds: number;
  /** Bytes that one byte becomes in Kafka. */
  readonly kafkaRatio: number;
  readonly kafkaReplicas: number;
  readonly coresPerMachine: number;
  /** Share of the cores that is planned for: the rest is for peaks, for catching up and for a machine that is away. */
  readonly utilisation: number;
}

export interface Tier {
  readonly cpuUs: number;
  readonly cores: number;
  readonly machines: number;
}

export interface TierPlan {
  readonly gateways: Tier;
  readonly processors: Tier;
  /** The same number for each processor, and room to double them. */
  readonly partitions: number;
  readonly kafkaInBytesPerSecond: number;
  readonly kafkaWrittenBytesPerSecond: number;
  readonly pendingTraces: number;
  /** Of one processor. */
  readonly numTraces: number;
  readonly indexBytes: number;
  readonly pendingDiskBytes: number;
  readonly keptSpansPerSecond: number;
}

const PARTITIONS_PER_PROCESSOR = 4;
/** Pending traces beyond those of an even load. */
const TRACES_HEADROOM = 2;

/** @throws RangeError when a number is not one that can be planned with. */
export function planTiers(costs: TierCosts, load: TierLoad): TierPlan {
  for (const [name, value] of Object.entries({ ...costs, ...load }))
    if (!Number.isFinite(value) || value < 0) throw new RangeError(`${name} is ${value}`);
  const { spansPerSecond, keptShare } = load;
  const processorUs = costs.consumeUs + costs.samplingUs + keptShare * costs.deliverUs;
  const processors = tier(processorUs, load);
  const bytesPerSecond = spansPerSecond * load.bytesPerSpan;
  const kafkaInBytesPerSecond = bytesPerSecond * load.kafkaRatio;
  const pendingTraces = (spansPerSecond / load.spansPerTrace) * load.decisionWaitSeconds;
  const numTraces = Math.ceil((pendingTraces / processors.machines) * TRACES_HEADROOM);
  return {
    gateways: tier(costs.gatewayUs, load),
    processors,
    partitions: processors.machines * PARTITIONS_PER_PROCESSOR,
    kafkaInBytesPerSecond,
    kafkaWrittenBytesPerSecond: kafkaInBytesPerSecond * load.kafkaReplicas,
    pendingTraces,
    numTraces,
    indexBytes: numTraces * costs.bytesPerTrace,
    pendingDiskBytes: (bytesPerSecond * load.decisionWaitSeconds) / processors.machines,
    keptSpansPerSecond: spansPerSecond * keptShare,
  };
}

function tier(cpuUs: number, { spansPerSecond, coresPerMachine, utilisation }: TierLoad): Tier {
  const cores = (spansPerSecond * cpuUs) / 1e6;
  // Never one alone: what stands alone is away when its machine is.
  return { cpuUs, cores, machines: Math.max(2, Math.ceil(cores / (coresPerMachine * utilisation))) };
}

/** What a scenario has written into its last result: the medians of its runs by the names of metrics. */
export type Results = (scenario: string) => Readonly<Record<string, readonly number[]>>;

/** @throws Error that names the scenario to run. */
export function costsFrom(results: Results): TierCosts {
  const metric = (scenario: string, name: string): number => {
    const values = results(scenario)[name];
    if (values === undefined || values.length === 0)
      throw new Error(`${name} is not measured: npm run loadtest -- --scenario ${scenario}`);
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)]!;
  };
  // What both of two scenarios do, taking a span and flushing it, is in both.
  const intakeUs = metric('01-http', 'traces.cpuUs');
  return {
    gatewayUs: metric('29-kafka-keyed', 'traces.cpuUs'),
    consumeUs: metric('31-kafka-receiver-keyed', 'consume.cpuUs'),
    samplingUs: Math.max(0, metric('22-tail-sampling', 'load.cpuUs') - intakeUs),
    deliverUs: Math.max(0, metric('34-clickhouse-and-s3', 'traces.cpuUs') - intakeUs),
    bytesPerTrace: metric('22-tail-sampling', 'sampling.bytesPerTrace'),
  };
}
