/**
 * `azure_resource_logs`: what Azure's diagnostic settings put into an event hub, `{"records": [...]}` of the common schema
 * (learn.microsoft.com, resource logs schema). One resource for each `resourceId`; there is no body.
 *
 * The Collector leaves a log record out whose time it cannot read; here it stays, with that text as `azure.time`.
 */
import { Double, type PlainValue } from '../otlp/any-value-write.ts';
import * as otlp from '../otlp/tags.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';
import type { RecordDecoder } from './encoding.ts';
import { encodingFailed, recordDecoder } from './guard.ts';
import { setNanos } from './jaeger-reader.ts';
import { parseJson, withDoubles } from './logs-decode.ts';
import * as parts from './span-parts.ts';
import { wholeNumber } from './span-tags.ts';
import { parseIso8601 } from './time-text.ts';
import { TimeWords } from './time-words.ts';
import { type JsonObject, objectOf, objectsOf, stringOf } from './zipkin-json.ts';

const SCOPE_NAME = 'github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/azure';
const SEVERITIES: Readonly<Record<string, number>> = {
  Informational: 9,
  Warning: 13,
  Error: 17,
  Critical: 21,
};
const INT32_MAX = 0x7fff_ffff;
/** Members, in lower case, that are attributes when they are not empty. */
const OPTIONAL_TEXTS: readonly (readonly [string, string])[] = [
  ['correlationid', 'azure.correlation.id'],
  ['operationversion', 'azure.operation.version'],
  ['resultdescription', 'azure.result.description'],
  ['resultsignature', 'azure.result.signature'],
  ['resulttype', 'azure.result.type'],
  ['tenantid', 'azure.tenant.id'],
  ['location', 'cloud.region'],
  ['calleripaddress', 'network.peer.address'],
];

export const azureDecoder: RecordDecoder = recordDecoder('logs', 'azure_resource_logs', (record, out) => {
  const json = objectOf(parseJson(record), 'the record') ?? {};
  const groups = new Map<string, JsonObject[]>();
  for (const each of objectsOf(lowerNames(json).records, '"records"')) {
    const log = lowerNames(each);
    const id = stringOf(log, 'resourceid');
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [log]);
    else group.push(log);
  }
  for (const [id, group] of groups) writeResource(out, id, group);
});

function writeResource(out: WireWriter, id: string, logs: readonly JsonObject[]): void {
  const container = out.beginMessage(otlp.TAG_REQUEST_RESOURCE_SPANS, 3);
  const resource = out.beginMessage(otlp.TAG_RESOURCE_LOGS_RESOURCE);
  parts.writeAttributeMap(out, otlp.TAG_RESOURCE_ATTRIBUTES, new Map([['azure.resource.id', id]]));
  out.endMessage(resource);
  const scopeLogs = out.beginMessage(otlp.TAG_RESOURCE_LOGS_SCOPE_LOGS, 3);
  const scope = out.beginMessage(otlp.TAG_SCOPE_LOGS_SCOPE);
  out.writeStringField(otlp.TAG_SCOPE_NAME, SCOPE_NAME);
  out.endMessage(scope);
  for (const log of logs) writeLog(out, log);
  out.endMessage(scopeLogs);
  out.endMessage(container);
}

const time = new TimeWords();

function writeLog(out: WireWriter, log: JsonObject): void {
  const text = stringOf(log, 'time') || stringOf(log, 'timestamp');
  const moment = parseIso8601(text);
  const mark = out.beginMessage(otlp.TAG_SCOPE_LOGS_LOG_RECORDS, 2);
  const attributes = attributesOf(log);
  if (moment !== undefined) {
    setNanos(time, moment.seconds, moment.nanos);
    out.writeVarint32(otlp.TAG_LOG_TIME_UNIX_NANO);
    out.writeFixed64(time.lo, time.hi);
  } else if (text !== '') attributes.set('azure.time', text);
  writeSeverity(out, log.level);
  parts.writeAttributeMap(out, otlp.TAG_LOG_ATTRIBUTES, attributes);
  out.endMessage(mark);
}

/** Services write the names of members in upper and lower case as they please. */
function lowerNames(json: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name.toLowerCase(), value]));
}

/** A level is one of four names, or a number. */
function writeSeverity(out: WireWriter, level: PlainValue | undefined): void {
  if (typeof level !== 'string' && typeof level !== 'number') return;
  const number = typeof level === 'string' ? SEVERITIES[level] : Math.trunc(level);
  if (number !== undefined && number > 0 && number <= INT32_MAX) {
    out.writeVarint32(otlp.TAG_LOG_SEVERITY_NUMBER);
    out.writeVarint32(number);
  }
  out.writeStringField(otlp.TAG_LOG_SEVERITY_TEXT, String(level));
}

function attributesOf(log: JsonObject): Map<string, PlainValue> {
  const attributes = new Map<string, PlainValue>([
    ['azure.category', stringOf(log, 'category')],
    ['azure.operation.name', stringOf(log, 'operationname')],
    ['cloud.provider', 'azure'],
  ]);
  for (const [member, key] of OPTIONAL_TEXTS) {
    const text = stringOf(log, member);
    if (text !== '') attributes.set(key, text);
  }
  const duration = durationOf(log.durationms);
  if (duration !== undefined) attributes.set('azure.duration', duration);
  for (const [member, key] of [
    ['identity', 'azure.identity'],
    ['properties', 'azure.properties'],
  ] as const) {
    const value = log[member];
    if (value !== null && value !== undefined) attributes.set(key, withDoubles(value));
  }
  return attributes;
}

/** A number, bare or in quotes; whole ones alone are durations in the Collector, the others are kept as they are here. */
function durationOf(value: PlainValue | undefined): PlainValue | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : new Double(value);
  if (typeof value !== 'string' || Number.isNaN(Number(value)))
    throw encodingFailed('"durationMs" is not a number');
  return wholeNumber(value) ?? new Double(Number(value));
}
