/** Requests with data points of all five kinds, in which every field that ClickHouse has a column for is set. */
import { Prng } from '../../stdx/prng.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { requestType } from '../otlp-root.ts';

const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.37.0';

/** @param metrics of each kind, with one point each; the same seed gives the same values. */
export function fivePoints({ metrics, seed }: { metrics: number; seed: number }): Uint8Array {
  const values = new PointValues(seed);
  const type = requestType('metrics');
  const request = {
    resource_metrics: [
      {
        resource: { attributes: [text('service.name', 'checkout'), text('städte', 'Köln 🚀')] },
        schema_url: SCHEMA_URL,
        scope_metrics: [
          {
            scope: {
              name: 'meter',
              version: '1.2',
              attributes: [text('k', 'v')],
              dropped_attributes_count: 3,
            },
            schema_url: SCHEMA_URL,
            metrics: Array.from({ length: metrics }, (_, index) => values.metrics(index)).flat(),
          },
        ],
      },
    ],
  };
  return type.encode(type.fromObject(request)).finish();
}

function text(key: string, value: string): Message {
  return { key, value: { string_value: value } };
}

class PointValues {
  readonly #prng: Prng;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
  }

  /** One metric of each kind. */
  metrics(index: number): Message[] {
    const about = { name: `metric.${index % 10}`, description: 'how much "there" is', unit: 'By' };
    const temporality = { aggregation_temporality: 1 + (index % 2) };
    const isInt = index % 2 === 0;
    return [
      { ...about, gauge: { data_points: [{ ...this.#point(), ...this.#number(isInt) }] } },
      {
        ...about,
        sum: {
          data_points: [{ ...this.#point(), ...this.#number(!isInt) }],
          is_monotonic: isInt,
          ...temporality,
        },
      },
      { ...about, histogram: { data_points: [this.#histogram()], ...temporality } },
      { ...about, exponential_histogram: { data_points: [this.#exponential()], ...temporality } },
      { ...about, summary: { data_points: [this.#summary()] } },
    ];
  }

  #histogram(): Message {
    return {
      ...this.#distribution(),
      // One count more than bounds, or the point is refused.
      bucket_counts: this.#counts(4),
      explicit_bounds: [-1.5, 0, 1 + this.#prng.nextFloat()],
    };
  }

  #exponential(): Message {
    return {
      ...this.#distribution(),
      scale: this.#prng.nextInt(20) - 10,
      zero_count: this.#long(),
      positive: { offset: this.#prng.nextInt(100) - 50, bucket_counts: this.#someCounts() },
      negative: { offset: this.#prng.nextInt(100) - 50, bucket_counts: this.#someCounts() },
    };
  }

  #summary(): Message {
    const quantile_values = [0.5, 0.99].map((quantile) => ({ quantile, value: this.#double() }));
    const { exemplars: _, ...point } = this.#point();
    return { ...point, count: this.#long(), sum: this.#double(), quantile_values };
  }

  #distribution(): Message {
    return {
      ...this.#point(),
      count: this.#long(),
      sum: this.#double(),
      min: this.#double(),
      max: this.#double(),
    };
  }

  #point(): Message {
    return {
      attributes: [text('host', `h${this.#prng.nextInt(5)}`), text('zone', 'a"b')],
      start_time_unix_nano: this.#time(),
      time_unix_nano: this.#time(),
      flags: this.#prng.nextInt(2),
      exemplars: Array.from({ length: this.#prng.nextInt(3) }, (_, index) => ({
        filtered_attributes: [text('user', `u${this.#prng.nextInt(9)}`)],
        time_unix_nano: this.#time(),
        ...this.#number(index === 0),
        span_id: Buffer.alloc(8, 1 + this.#prng.nextInt(250)),
        trace_id: Buffer.alloc(16, 1 + this.#prng.nextInt(250)),
      })),
    };
  }

  #number(isInt: boolean): Message {
    return isInt ? { as_int: String(this.#prng.nextInt(1e9) - 5e8) } : { as_double: this.#double() };
  }

  #double(): number {
    return (this.#prng.nextFloat() - 0.5) * 10 ** this.#prng.nextInt(40);
  }

  #someCounts(): string[] {
    return this.#counts(this.#prng.nextInt(6));
  }

  #counts(length: number): string[] {
    return Array.from({ length }, () => this.#long());
  }

  /** Any 63 bits: counts that are negative to a reader of signed numbers are refused. */
  #long(): string {
    return ((BigInt(this.#prng.nextUint32() >>> 1) << 32n) | BigInt(this.#prng.nextUint32())).toString();
  }

  /** Within some hours, to the nanosecond. */
  #time(): string {
    return (1_795_280_865_000_000_000n + BigInt(this.#prng.nextUint32()) * 3001n).toString();
  }
}
