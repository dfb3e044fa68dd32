/** Names for flows and severities. */
import { createHash } from 'node:crypto';
import { EvaluationError } from '../errors.ts';
import { compareBytes, typeName, type Value } from '../value.ts';
import { addressBytes } from './address.ts';
import { type Converters, optional, param, UNKNOWN } from './converter.ts';

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ...Object.entries({ ICMP: 1, TCP: 6, UDP: 17, RSVP: 46, ICMP6: 58, SCTP: 132 }),
]);
const WORD_MAX = 65_535n;

function word(name: string, value: Value): number {
  const number = value as bigint;
  if (number < 0n || number > WORD_MAX) throw new EvaluationError(`${name} is between 0 and ${WORD_MAX}`);
  return Number(number);
}

interface Endpoint {
  readonly address: Uint8Array;
  readonly port: number;
}

function endpoint(name: string, address: Value, port: Value): Endpoint {
  const bytes = addressBytes(address as string);
  if (bytes === undefined)
    throw new EvaluationError(`${JSON.stringify(address)} is no address of the ${name}`);
  return { address: bytes, port: word(`the port of the ${name}`, port) };
}

/** Version 1 of the Community ID: both directions of a flow have the same one. */
function communityId(source: Endpoint, destination: Endpoint, protocol: string, seed: number): string {
  const number = PROTOCOLS.get(protocol);
  if (number === undefined) throw new EvaluationError(`there is no protocol ${JSON.stringify(protocol)}`);
  const order =
    source.address.length - destination.address.length ||
    compareBytes(source.address, destination.address) ||
    source.port - destination.port;
  const [first, second] = order > 0 ? [destination, source] : [source, destination];
  const two = (value: number) => Uint8Array.of(value >> 8, value & 0xff);
  const hash = createHash('sha1');
  for (const part of [
    two(seed),
    first.address,
    second.address,
    Uint8Array.of(number, 0),
    two(first.port),
    two(second.port),
  ]) {
    hash.update(part);
  }
  return `1:${hash.digest('base64')}`;
}

type Entries = ReadonlyMap<string, Value>;

const CLASSES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  '2xx': [200n, 299n],
  '3xx': [300n, 399n],
  '4xx': [400n, 499n],
  '5xx': [500n, 599n],
};

/** What is wrong with `{"level": [{"equals": [texts]}, {"range": {"min": 1, "max": 2} or "4xx"}]}`. */
function mappingIssue(mapping: unknown): string | undefined {
  if (mapping === UNKNOWN) return 'the mapping must be a literal';
  for (const [level, list] of mapping as Entries) {
    if (!Array.isArray(list)) return `the criteria of ${JSON.stringify(level)} are no list`;
    for (const criterion of list as readonly Value[]) {
      if (!(criterion instanceof Map)) return `a criterion of ${JSON.stringify(level)} is no map`;
      const issue = criterionIssue(criterion);
      if (issue !== undefined) return issue;
    }
  }
  return undefined;
}

function criterionIssue(criterion: Entries): string | undefined {
  const equals = criterion.get('equals');
  if (equals !== undefined && !(Array.isArray(equals) && equals.every((text) => typeof text === 'string'))) {
    return '"equals" is a list of texts';
  }
  const range = criterion.get('range');
  if (range === undefined || (typeof range === 'string' && Object.hasOwn(CLASSES, range))) return undefined;
  const isRange = range instanceof Map && ['min', 'max'].every((key) => typeof range.get(key) === 'bigint');
  return isRange ? undefined : `"range" has a min and a max, or is one of ${Object.keys(CLASSES).join(', ')}`;
}

function isMet(criterion: Entries, value: Value): boolean {
  if (typeof value === 'string') return ((criterion.get('equals') ?? []) as readonly Value[]).includes(value);
  const range = criterion.get('range');
  if (range === undefined) return false;
  const [min, max] =
    typeof range === 'string'
      ? CLASSES[range]!
      : [(range as Entries).get('min'), (range as Entries).get('max')];
  return (value as bigint) >= (min as bigint) && (value as bigint) <= (max as bigint);
}

function severityOf(value: Value, mapping: Entries): Value {
  if (typeof value !== 'string' && typeof value !== 'bigint') {
    throw new EvaluationError(`${typeName(value)} is no severity`);
  }
  for (const [level, criteria] of mapping) {
    if ((criteria as readonly Entries[]).some((criterion) => isMet(criterion, value))) return level;
  }
  throw new EvaluationError(`${String(value)} has no severity in the mapping`);
}

export const FLOW_CONVERTERS: Converters = {
  CommunityID: {
    params: [
      ...[param('source_ip', 'string'), param('source_port', 'int')],
      ...[param('destination_ip', 'string'), param('destination_port', 'int')],
      ...[optional('protocol', 'string'), optional('seed', 'int')],
    ],
    apply: ([fromAddress, fromPort, toAddress, toPort, protocol = 'TCP', seed = 0n]) =>
      communityId(
        endpoint('source', fromAddress, fromPort),
        endpoint('destination', toAddress, toPort),
        protocol as string,
        word('the seed', seed),
      ),
  },
  ParseSeverity: {
    params: [param('target', 'any'), param('mapping', 'map')],
    check: ([, mapping]) => mappingIssue(mapping),
    apply: ([value, mapping]) => severityOf(value, mapping as Entries),
  },
};
