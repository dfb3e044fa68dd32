/** Traces in a few words and a policy set that decides them, without an engine around it. */
import assert from 'node:assert/strict';
import { RecordingLogger } from '../../../exporters/helper/delivery.test-peer.ts';
import { scanRequest } from '../../../otlp/scan.ts';
import { RequestIndex } from '../../../pdata/request-index.ts';
import { systemClock } from '../../../stdx/clock.ts';
import { ThreadMeter } from '../../../telemetry/registry.ts';
import type { Message } from '../../../testkit/otlp-arbitraries.ts';
import { requestType } from '../../../testkit/otlp-root.ts';
import { tailSamplingConfigSchema } from '../config.ts';
import {
  type PolicySet,
  VERDICT_DROPPED,
  VERDICT_NONE,
  VERDICT_NOT_SAMPLED,
  VERDICT_SAMPLED,
  type Verdict,
} from '../policy-set.ts';
import { compilePolicySet } from './compile-policy-set.ts';

export const VERDICT_NAMES: Record<Verdict, string> = {
  [VERDICT_NONE]: 'none',
  [VERDICT_SAMPLED]: 'sampled',
  [VERDICT_NOT_SAMPLED]: 'not sampled',
  [VERDICT_DROPPED]: 'dropped',
};

export interface PolicyBed {
  set: PolicySet;
  meter: ThreadMeter;
  logger: RecordingLogger;
}

/** @param raw configuration of the processor as a YAML value. */
export function policyBed(raw: unknown, id = 'tail_sampling', deciderCount = 1): PolicyBed {
  const { value, issues } = tailSamplingConfigSchema.parse(raw);
  assert.deepEqual(issues, []);
  const meter = new ThreadMeter();
  const logger = new RecordingLogger();
  const settings = { id, meter, logger, clock: systemClock };
  return { set: compilePolicySet(value!, settings, deciderCount), meter, logger };
}

type Scalar = string | number | boolean | bigint | null | Message;

export interface SpanModel {
  attributes?: Record<string, Scalar> | Message[];
  status?: number;
  /** Nanoseconds. */
  start?: bigint | number;
  end?: bigint | number;
  parent?: boolean;
  flags?: number;
  traceState?: string;
  events?: Message[];
  /** Attributes of its resource; spans with the same object share the resource. */
  resource?: Record<string, Scalar> | Message[];
  traceId?: Uint8Array;
}

/** `5` is an integer, `5.5` a double, a plain object an AnyValue as it stands. */
function anyValue(value: Scalar): Message {
  if (value === null) return {};
  if (typeof value === 'string') return { string_value: value };
  if (typeof value === 'boolean') return { bool_value: value };
  if (typeof value === 'object') return value;
  const isInteger = typeof value === 'bigint' || Number.isSafeInteger(value);
  return isInteger ? { int_value: value.toString() } : { double_value: value };
}

function keyValues(attributes: SpanModel['attributes'] = {}): Message[] {
  if (Array.isArray(attributes)) return attributes;
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

export const TRACE_ID = Uint8Array.from({ length: 16 }, (_, at) => 17 * (at + 1));

/** One export request; a span without a trace id gets TRACE_ID. */
export function encodeSpans(spans: readonly SpanModel[]): Uint8Array {
  const type = requestType('traces');
  const groups: Message[] = spans.map((span, ordinal) => ({
    resource: { attributes: keyValues(span.resource) },
    scope_spans: [
      {
        spans: [
          {
            trace_id: span.traceId ?? TRACE_ID,
            span_id: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, ordinal),
            parent_span_id: span.parent === true ? Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9) : undefined,
            name: 'operation',
            kind: 2,
            start_time_unix_nano: String(span.start ?? 1_000_000_000),
            end_time_unix_nano: String(span.end ?? 1_000_000_000),
            attributes: keyValues(span.attributes),
            status: span.status === undefined ? undefined : { message: 'text', code: span.status },
            flags: span.flags,
            trace_state: span.traceState,
            events: span.events,
          },
        ],
      },
    ],
  }));
  return type.encode(type.fromObject({ resource_spans: groups })).finish();
}

/** Facts of traces in a map, as the processor's index keeps them in a table. */
export class TraceMap {
  readonly words = new Map<string, Uint32Array>();
  readonly #set: PolicySet;
  readonly #index = new RequestIndex();

  constructor(set: PolicySet) {
    this.#set = set;
  }

  /** @returns OBSERVED_* flags of each span. */
  observe(bytes: Uint8Array, isWanted: (item: number) => boolean = () => true): number[] {
    const index = this.#index;
    scanRequest('traces', bytes, 0, bytes.length, index);
    this.#set.begin(bytes, index);
    const flags: number[] = [];
    for (let item = 0; item < index.itemCount; item++) {
      if (!isWanted(item)) continue;
      const idAt = index.itemTraceId[item]!;
      const id = Buffer.from(bytes.subarray(idAt, idAt + 16)).toString('hex');
      let words = this.words.get(id);
      if (words === undefined) {
        words = new Uint32Array(this.#set.stateWords);
        this.words.set(id, words);
      }
      flags.push(this.#set.observe(item, words, 0));
    }
    return flags;
  }

  decide(id: string, nowMs = 0): Verdict {
    return this.#set.decide(idWords(id), 0, this.words.get(id)!, 0, nowMs);
  }

  decideEarly(id: string, nowMs = 0): Verdict {
    return this.#set.decideEarly(idWords(id), 0, this.words.get(id)!, 0, nowMs);
  }
}

/** @param id in hex. */
export function idWords(id: string): Uint32Array {
  const bytes = Buffer.from(id, 'hex');
  return Uint32Array.from({ length: 4 }, (_, word) => bytes.readUInt32BE(word * 4));
}

/** Decides one trace whose spans come in one request. */
export function decideTrace(set: PolicySet, spans: readonly SpanModel[], nowMs = 0): string {
  const map = new TraceMap(set);
  map.observe(encodeSpans(spans));
  const [id] = map.words.keys();
  return VERDICT_NAMES[map.decide(id!, nowMs)];
}

/** A configuration with these policies, named p0, p1, ... unless they have a name. */
export function withPolicies(policies: readonly Message[], others: Message = {}): Message {
  return { policies: policies.map((policy, at) => ({ name: `p${at}`, ...policy })), ...others };
}
