/** Seeded spans and log records with every kind of sampling information, right and wrong. */
import type { Signal } from '../../component/signal.ts';
import { Prng } from '../../stdx/prng.ts';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { requestType } from '../../testkit/otlp-root.ts';

const ITEMS_PER_REQUEST = 500;
const MALFORMED_STATES = [
  'ot=th:8;;rv:00000000000000',
  'ot=rv:123',
  'ot=th:xyz',
  'ot=th:8;',
  'ot=TH:8',
  'no-equals',
  'ot=',
  'A=1',
  'a=b=c',
  'a@=1',
  'ot=th:123456789abcdef',
  `a=${'x'.repeat(257)}`,
  Array.from({ length: 32 }, (_, member) => `k${member}=v`).join(','),
  `${Array.from({ length: 10 }, (_, member) => `k${member}=${'y'.repeat(110)}`).join(',')}`,
];

export interface ItemOptions {
  count: number;
  seed: number;
  /** Without: every tracestate can be read. */
  hasMalformed: boolean;
}

/** Encoded export requests; every item has a name or body of its own. */
export function sampledItems(signal: Signal, { count, seed, hasMalformed }: ItemOptions): Uint8Array[] {
  const random = new Random(new Prng(seed), hasMalformed);
  const type = requestType(signal);
  const [groups, scopes, items] =
    signal === 'traces'
      ? ['resource_spans', 'scope_spans', 'spans']
      : ['resource_logs', 'scope_logs', 'log_records'];
  const resource = { attributes: [{ key: 'service.name', value: { string_value: 'shop' } }] };
  const requests: Uint8Array[] = [];
  for (let first = 0; first < count; first += ITEMS_PER_REQUEST) {
    const list = Array.from({ length: Math.min(ITEMS_PER_REQUEST, count - first) }, (_, at) =>
      signal === 'traces' ? random.span(first + at) : random.record(first + at),
    );
    const request = { [groups!]: [{ resource, [scopes!]: [{ scope: { name: 's' }, [items!]: list }] }] };
    requests.push(type.encode(type.fromObject(request)).finish());
  }
  return requests;
}

class Random {
  readonly #prng: Prng;
  readonly #hasMalformed: boolean;

  constructor(prng: Prng, hasMalformed: boolean) {
    this.#prng = prng;
    this.#hasMalformed = hasMalformed;
  }

  span(number: number): Message {
    const state = this.#traceState();
    return {
      trace_id: this.#bytes(16),
      span_id: this.#bytes(8),
      name: `span ${number}`,
      start_time_unix_nano: '1700000000000000000',
      end_time_unix_nano: '1700000000000000001',
      status: { code: 1 },
      ...(state === undefined ? {} : { trace_state: state }),
      attributes: this.#shuffled([
        { key: 'http.method', value: { string_value: 'GET' } },
        ...this.#some(0.25, { key: 'sampling.priority', value: this.#priority() }),
      ]),
    };
  }

  record(number: number): Message {
    const id = this.#prng.nextFloat();
    const attributes = [
      { key: 'log.kind', value: { string_value: 'access' } },
      ...this.#some(0.7, { key: 'record.id', value: this.#anyValue() }),
      ...this.#some(0.2, { key: 'priority', value: this.#percentage() }),
      ...this.#some(0.25, { key: 'sampling.threshold', value: { string_value: this.#threshold() } }),
      ...this.#some(0.25, { key: 'sampling.randomness', value: { string_value: this.#hex(14) } }),
    ];
    if (this.#hasMalformed) {
      const value = this.#pick([{ string_value: 'zz' }, { int_value: '8' }, { string_value: '' }]);
      attributes.push(...this.#some(0.1, { key: 'sampling.randomness', value }));
    }
    return {
      time_unix_nano: '1700000000000000000',
      body: { string_value: `record ${number}` },
      ...(id < 0.7 ? { trace_id: this.#bytes(16), span_id: this.#bytes(8) } : {}),
      attributes: this.#shuffled(attributes.filter(isFirstOfKey)),
    };
  }

  #traceState(): string | undefined {
    const kind = this.#prng.nextFloat();
    if (kind < 0.3) return undefined;
    if (kind < 0.4) return this.#hasMalformed ? this.#pick(MALFORMED_STATES) : 'vendor=1';
    const parts = this.#shuffled([
      ...this.#some(0.6, `th:${this.#threshold()}`),
      ...this.#some(0.5, `rv:${this.#hex(14)}`),
      ...this.#some(0.3, 'p:8'),
      ...this.#some(0.2, 'x9:A.b_c-d'),
    ]);
    const members = this.#shuffled([
      ...(parts.length === 0 ? [] : [`ot=${parts.join(';')}`]),
      ...this.#some(0.4, 'vendor=value with blank'),
      ...this.#some(0.3, '1tenant/x@system=t:1;u'),
      ...this.#some(0.2, ''),
      ...this.#some(0.1, 'ot=th:c'),
    ]);
    return members.join(this.#pick([',', ', ', ' ,\t']));
  }

  #threshold(): string {
    const digits = this.#pick(['0', '8', 'c', 'C0', 'ff', 'fff8', '00', '4', '80000000000001']);
    return this.#prng.nextFloat() < 0.7 ? digits : this.#hex(1 + this.#prng.nextInt(14));
  }

  #priority(): Message {
    return this.#pick<Message>([
      { int_value: '0' },
      { int_value: '1' },
      { int_value: '-1' },
      { int_value: '4294967296' },
      { double_value: 0.5 },
      { double_value: 0 },
      { double_value: -0.5 },
      { string_value: '1' },
      { string_value: '0.0' },
      { string_value: 'yes' },
      { string_value: '1e400' },
      { string_value: '+Inf' },
      { bool_value: true },
      {},
    ]);
  }

  #percentage(): Message {
    const percentage = this.#pick([0, 1, 10, 50, 99, 100, 101, -1, 4294967296]);
    return this.#pick<Message>([
      { int_value: String(percentage) },
      { double_value: percentage / 3 },
      { string_value: '50' },
    ]);
  }

  #anyValue(): Message {
    const number = this.#prng.nextUint32();
    return this.#pick<Message>([
      { string_value: `id-${number}` },
      { string_value: '' },
      { bytes_value: this.#bytes(8) },
      { int_value: String(number - 2 ** 31) },
      { double_value: number / 1000 },
      { bool_value: number % 2 === 0 },
      { array_value: { values: [{ int_value: String(number) }, { string_value: 'ü"' }] } },
      { kvlist_value: { values: [{ key: 'a', value: { int_value: String(number) } }] } },
      {},
    ]);
  }

  #bytes(size: number): Uint8Array {
    // One byte that is not zero makes every id valid.
    return Uint8Array.from({ length: size }, (_, at) => (at === 0 ? 1 : this.#prng.nextInt(256)));
  }

  #hex(digits: number): string {
    return Array.from({ length: digits }, () => this.#prng.nextInt(16).toString(16)).join('');
  }

  #some<T>(share: number, value: T): T[] {
    return this.#prng.nextFloat() < share ? [value] : [];
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#prng.nextInt(values.length)]!;
  }

  #shuffled<T>(values: T[]): T[] {
    for (let at = values.length - 1; at > 0; at--) {
      const other = this.#prng.nextInt(at + 1);
      [values[at], values[other]] = [values[other]!, values[at]!];
    }
    return values;
  }
}

function isFirstOfKey({ key }: { key: string }, at: number, all: readonly { key: string }[]): boolean {
  return all.findIndex((each) => each.key === key) === at;
}
