/** Seeded items of all kinds against a model that follows the published rules with texts and big integers. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Signal } from '../../component/signal.ts';
import { valueText } from '../../otlp/any-value-text.ts';
import { AnyValueView } from '../../otlp/any-value-view.ts';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../../testkit/otlp-flatten.ts';
import { otlpType } from '../../testkit/otlp-root.ts';
import { processorBed } from '../helper/processor.test-peer.ts';
import { probabilisticSamplerProcessorFactory as factory } from './factory.ts';
import { sampledItems } from './sampled-items.test-peer.ts';

interface Config {
  sampling_percentage: number;
  mode: 'hash_seed' | 'equalizing' | 'proportional';
  hash_seed: number;
  fail_closed: boolean;
  sampling_precision: number;
  attribute_source: 'traceID' | 'record';
  from_attribute: string;
  sampling_priority: string;
}

interface Information {
  isMalformed: boolean;
  th: string | undefined;
  rv: string | undefined;
}

const VALUES = 1n << 56n;
const HIGHEST = VALUES - 1n;

function thresholdOf(probability: number, digits: number): bigint | undefined {
  if (!(probability >= 2 ** -56 && probability <= 1)) return undefined;
  if (probability === 1) return 0n;
  const leading = (value: number) => Math.trunc(-(Math.floor(Math.log2(value)) + 1) / 4);
  const precision = Math.min(14, digits + Math.max(leading(probability), leading(1 - probability)));
  const shift = BigInt(4 * (14 - precision));
  const threshold = VALUES - BigInt(Math.round(probability * 2 ** 56));
  return shift === 0n ? threshold : ((threshold + (1n << (shift - 1n))) >> shift) << shift;
}

const thValue = (text: string) => BigInt(`0x${text}`) << BigInt(4 * (14 - text.length));
const rvText = (value: bigint) => value.toString(16).padStart(14, '0');
const thText = (value: bigint) => rvText(value).replace(/0+$/, '') || '0';

function hashed(bytes: Uint8Array, seed: number): bigint {
  const seedBytes = Buffer.alloc(4);
  seedBytes.writeUInt32LE(seed);
  let hash = 0x811c9dc5n;
  for (const byte of [...seedBytes, ...bytes]) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
  const unused = hash >> 18n;
  return ((0x3fffn - (hash & 0x3fffn)) << 42n) | ((unused ^ (unused << 10n)) << 14n) | (hash & 0x3fffn);
}

interface Decision {
  isKept: boolean;
  /** undefined: the information of the item stays as it is. */
  written: Information | undefined;
}

/** @param priority threshold that the item itself asks for. */
function decide(
  config: Config,
  info: Information,
  idBytes: Uint8Array | undefined,
  hashedBytes: Uint8Array | undefined,
  priority: bigint | undefined,
  writesMissing: boolean,
): Decision {
  const percentage = Math.fround(Math.min(config.sampling_percentage, 100));
  const buckets = Math.trunc(Math.fround(percentage * Math.fround(163.84)));
  const isHash = config.mode === 'hash_seed';
  const isNever = percentage === 0 || (isHash && buckets === 0);
  let randomness: bigint | undefined;
  let hasFault = info.isMalformed;
  const next: Information = { ...info };
  if (isNever) randomness = HIGHEST;
  else if (isHash) {
    if (hashedBytes !== undefined) randomness = hashed(hashedBytes, config.hash_seed);
    if (info.rv !== undefined || info.th !== undefined) hasFault = true;
    else if (randomness !== undefined || writesMissing) next.rv = rvText(randomness ?? HIGHEST);
  } else if (!info.isMalformed) {
    if (info.rv !== undefined) randomness = thValue(info.rv);
    else if (idBytes !== undefined) randomness = BigInt(`0x${Buffer.from(idBytes.slice(9)).toString('hex')}`);
  }
  const isWritable = !hasFault;
  if (randomness === undefined) hasFault = true;
  else if (!hasFault && next.th !== undefined && thValue(next.th) > randomness) {
    next.th = undefined;
    hasFault = true;
  }
  let threshold = config.fail_closed ? VALUES : 0n;
  if (!hasFault) {
    const own = next.th === undefined ? undefined : thValue(next.th);
    const fixed = isHash
      ? BigInt(16384 - buckets) << 42n
      : thresholdOf(percentage / 100, config.sampling_precision)!;
    threshold = isNever ? VALUES : fixed;
    if (config.mode === 'equalizing' && own !== undefined && own > threshold) threshold = own;
    if (config.mode === 'proportional' && own !== undefined && !isNever) {
      const product = (Number(VALUES - own) / 2 ** 56) * (percentage / 100);
      threshold = thresholdOf(product, config.sampling_precision) ?? VALUES;
    }
  }
  threshold = priority ?? threshold;
  const isKept = threshold <= (randomness ?? HIGHEST);
  if (!isWritable || !isKept) return { isKept, written: undefined };
  if (next.th === undefined || thValue(next.th) <= threshold) next.th = thText(threshold);
  return { isKept, written: next };
}

const LIST =
  /^(?:[ \t]*(?:(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[ -+\--<>-~]{0,255}[!-+\--<>-~])?[ \t]*(?:,|$))*$/;
const PARTS = /^(?:[a-z][a-z0-9]*:[\w.-]*(?:;(?!$)|$))+$/;

/** @returns the information, and the parts and members beside it. */
function readState(text: string): { info: Information; others: string[]; parts: string[] } {
  const info: Information = {
    isMalformed: text.length > 1024 || !LIST.test(text),
    th: undefined,
    rv: undefined,
  };
  const pieces = text.split(',');
  if (pieces.at(-1) === '') pieces.pop();
  if (pieces.length > 31) info.isMalformed = true;
  const members = pieces
    .map((piece) => piece.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((piece) => piece !== '');
  let parts: string[] = [];
  for (const member of members.filter((each) => each.startsWith('ot='))) {
    if (!PARTS.test(member.slice(3))) info.isMalformed = true;
    parts = member.slice(3).split(';');
    const last = (name: string) => parts.findLast((part) => part.startsWith(`${name}:`))?.slice(3);
    for (const part of parts) {
      if (
        /^(?:th|rv):/.test(part) &&
        !(part.startsWith('th') ? /^th:[\da-f]{1,14}$/i : /^rv:[\da-f]{14}$/i).test(part)
      )
        info.isMalformed = true;
    }
    info.th = last('th');
    info.rv = last('rv');
  }
  return {
    info,
    others: members.filter((each) => !each.startsWith('ot=')),
    parts: parts.filter((part) => !/^(?:th|rv):/.test(part)),
  };
}

function find(item: Message, key: string): Message | undefined {
  const list = (item.attributes ?? []) as { key: string; value?: Message }[];
  const found = list.find((each) => each.key === key);
  return found && (found.value ?? {});
}

const idOf = ({ trace_id: id }: Message) =>
  id === undefined ? undefined : Buffer.from(id as string, 'base64');

/** @returns the item after sampling, or undefined. */
function sampleSpan(config: Config, span: Message): Message | undefined {
  const { info, others, parts } = readState((span.trace_state as string | undefined) ?? '');
  const { int_value: int, double_value: double, string_value: text } = find(span, 'sampling.priority') ?? {};
  let number = Number(int ?? double ?? Number.NaN);
  if (text !== undefined && /^[+-]?(?:\d+(?:\.\d+)?|inf)$/i.test(text as string)) {
    number = /inf/i.test(text as string) ? Number.POSITIVE_INFINITY : Number(text);
  }
  const priority = number > 0 ? 0n : number === 0 ? VALUES : undefined;
  const { isKept, written } = decide(config, info, idOf(span), idOf(span), priority, true);
  if (!isKept || written === undefined) return isKept ? span : undefined;
  const { th, rv } = written;
  const ot = [...(rv === undefined ? [] : [`rv:${rv}`]), ...(th === undefined ? [] : [`th:${th}`]), ...parts];
  return { ...span, trace_state: [...(ot.length === 0 ? [] : [`ot=${ot.join(';')}`]), ...others].join(',') };
}

function textBytes(value: Message | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (value.bytes_value !== undefined) return Buffer.from(value.bytes_value as string, 'base64');
  const type = otlpType('opentelemetry.proto.common.v1.AnyValue');
  const bytes = type.encode(type.fromObject(value)).finish();
  const view = new AnyValueView();
  view.reset(bytes, 0, bytes.length);
  const text = Buffer.from(valueText(view));
  return text.length === 0 ? undefined : text;
}

function sampleRecord(config: Config, record: Message): Message | undefined {
  const digits = (key: string): string | undefined =>
    (find(record, key)?.string_value as string | undefined) || undefined;
  const [th, rv] = [digits('sampling.threshold'), digits('sampling.randomness')];
  const isMalformed = !/^[\da-f]{1,14}$/i.test(th ?? '0') || !/^[\da-f]{14}$/i.test(rv ?? '0'.repeat(14));
  const id = config.attribute_source === 'traceID' ? idOf(record) : undefined;
  const hashedBytes =
    id ?? (config.from_attribute === '' ? undefined : textBytes(find(record, config.from_attribute)));
  const asked = config.sampling_priority === '' ? undefined : find(record, config.sampling_priority);
  const percentage = Number(asked?.int_value ?? asked?.double_value ?? 0);
  const priority = thresholdOf(percentage / 100, config.sampling_precision);
  const info = { isMalformed, th, rv };
  const { isKept, written } = decide(config, info, idOf(record), hashedBytes, priority, false);
  if (!isKept || written === undefined) return isKept ? record : undefined;
  let attributes = (record.attributes ?? []) as { key: string; value?: Message }[];
  for (const [key, text] of [
    ['sampling.randomness', written.rv],
    ['sampling.threshold', written.th],
  ] as const) {
    if (text === undefined) continue;
    const next = { key, value: { string_value: text } };
    const isThere = attributes.some((each) => each.key === key);
    attributes = isThere ? attributes.map((each) => (each.key === key ? next : each)) : [...attributes, next];
  }
  return { ...record, attributes };
}

const config: fc.Arbitrary<Config> = fc.record({
  sampling_percentage: fc.oneof(
    fc.constantFrom(0, 0.001, 12.5, 50, 100, 170),
    fc.double({ min: 0, max: 100, noNaN: true }).map((percentage) => Math.round(percentage * 1000) / 1000),
  ),
  mode: fc.constantFrom('hash_seed', 'equalizing', 'proportional'),
  hash_seed: fc.constantFrom(0, 22, 4294967295),
  fail_closed: fc.boolean(),
  sampling_precision: fc.integer({ min: 1, max: 14 }),
  attribute_source: fc.constantFrom('traceID', 'record'),
  from_attribute: fc.constantFrom('', 'record.id'),
  sampling_priority: fc.constantFrom('', 'priority'),
});

for (const signal of ['traces', 'logs'] as const satisfies readonly Signal[]) {
  test(`${signal}: what stays, and what it then carries, equals the model`, async () => {
    const sample = signal === 'traces' ? sampleSpan : sampleRecord;
    let kept = 0;
    const property = fc.asyncProperty(config, fc.nat(), async (keys, seed) => {
      const [request] = sampledItems(signal, { count: 40, seed, hasMalformed: true });
      const bed = await processorBed(signal, [[factory, keys]]);
      const expected = flattenRequest(signal, request!).flatMap(({ item }) => sample(keys, item) ?? []);
      const result = bed.process(request!);
      const actual = result.itemCount === 0 ? [] : flattenRequest(signal, result.bytes);
      assert.deepEqual(
        actual.map(({ item }) => item),
        expected,
      );
      kept += actual.length;
    });
    await fc.assert(property, { numRuns: 300 });
    assert.ok(kept > 1000);
  });
}
