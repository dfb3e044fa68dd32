/**
 * Takes export requests apart into pieces of bounded size, so that a batch of any size is shown in little memory.
 *
 * The levels have the same field numbers in all signals (opentelemetry/proto/collector/*): request 1 resources;
 * resource 2 scopes; scope 2 spans, log records or metrics. All other fields of a level are its head.
 */
import type { Signal } from '../../component/signal.ts';
import { protoToJson } from '../../otlp/proto-to-json.ts';
import { WIRE_LEN, WireReader } from '../../otlp/wire-reader.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import type { Item, ResourceHead, ScopeHead } from './otlp-objects.ts';

/** Protobuf bytes of items that are turned into objects together; one item or metric may be larger. */
const ITEM_BYTES = 128 * 1024;
const TAG_RESOURCE = (1 << 3) | WIRE_LEN;
const TAG_CHILDREN = (2 << 3) | WIRE_LEN;

const NAMES: Record<Signal, readonly [resources: string, scopes: string, items: string]> = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
};

/** Indexes count within the level above; those of resources within the batch. */
export type Part =
  | { level: 'resource'; index: number; head: ResourceHead }
  | { level: 'scope'; index: number; head: ScopeHead }
  | { level: 'items'; firstIndex: number; items: Item[] };

export interface BatchCounts {
  resources: number;
  /** Spans, log records or metrics. */
  items: number;
}

/**
 * Counts without decoding.
 * @throws PipelineError OTLP_MALFORMED when the slices are not requests.
 */
export function countParts(slices: readonly Uint8Array[]): BatchCounts {
  const counts = { resources: 0, items: 0 };
  for (const slice of slices) {
    for (const resource of fieldsOf(slice, TAG_RESOURCE)) {
      counts.resources += 1;
      for (const scope of fieldsOf(resource.content, TAG_CHILDREN)) {
        for (const _ of fieldsOf(scope.content, TAG_CHILDREN)) counts.items += 1;
      }
    }
  }
  return counts;
}

/**
 * The parts of a batch in wire order, each decoded when it is asked for.
 * @throws PipelineError OTLP_MALFORMED or OTLP_LIMIT_EXCEEDED when the slices are not requests.
 */
export function* readParts(signal: Signal, slices: readonly Uint8Array[]): Generator<Part> {
  const [resourcesName, scopesName, itemsName] = NAMES[signal];
  let resourceIndex = 0;
  for (const slice of slices) {
    for (const resource of fieldsOf(slice, TAG_RESOURCE)) {
      const resourceHead = decode(signal, resourceFrame(headOf(resource.content)))[resourcesName]![0]!;
      yield { level: 'resource', index: resourceIndex++, head: resourceHead as ResourceHead };
      let scopeIndex = 0;
      for (const scope of fieldsOf(resource.content, TAG_CHILDREN)) {
        const headBytes = resourceFrame(scopeFrame(headOf(scope.content)));
        const scopeHead = childrenOf(decode(signal, headBytes)[resourcesName]![0]!, scopesName)[0]!;
        yield { level: 'scope', index: scopeIndex++, head: scopeHead as ScopeHead };
        let firstIndex = 0;
        for (const run of itemRuns(scope.content)) {
          const request = decode(signal, resourceFrame(scopeFrame(run)));
          const items = childrenOf(
            childrenOf(request[resourcesName]![0]!, scopesName)[0]!,
            itemsName,
          ) as Item[];
          yield { level: 'items', firstIndex, items };
          firstIndex += items.length;
        }
      }
    }
  }
}

type Level = Record<string, unknown>;

function decode(signal: Signal, request: Uint8Array): Record<string, Level[]> {
  return JSON.parse(protoToJson(signal, request)) as Record<string, Level[]>;
}

function childrenOf(level: Level, name: string): Level[] {
  return (level[name] ?? []) as Level[];
}

/** Views of the fields with one tag: the content, and the whole field with tag and length. */
function* fieldsOf(bytes: Uint8Array, tag: number): Generator<{ content: Uint8Array; field: Uint8Array }> {
  const reader = new WireReader(bytes);
  while (reader.pos < reader.end) {
    const start = reader.pos;
    const found = reader.readTag();
    if (found !== tag) {
      reader.skip(found);
      continue;
    }
    const content = reader.readBytes();
    yield { content, field: bytes.subarray(start, reader.pos) };
  }
}

/** All fields of a level but its children. */
function headOf(bytes: Uint8Array): Uint8Array {
  const reader = new WireReader(bytes);
  const head: Uint8Array[] = [];
  while (reader.pos < reader.end) {
    const start = reader.pos;
    const tag = reader.readTag();
    reader.skip(tag);
    if (tag !== TAG_CHILDREN) head.push(bytes.subarray(start, reader.pos));
  }
  return Buffer.concat(head);
}

function* itemRuns(scope: Uint8Array): Generator<Uint8Array> {
  let run: Uint8Array[] = [];
  let runBytes = 0;
  for (const { field } of fieldsOf(scope, TAG_CHILDREN)) {
    if (runBytes > 0 && runBytes + field.length > ITEM_BYTES) {
      yield Buffer.concat(run);
      run = [];
      runBytes = 0;
    }
    run.push(field);
    runBytes += field.length;
  }
  if (runBytes > 0) yield Buffer.concat(run);
}

function resourceFrame(content: Uint8Array): Uint8Array {
  return frame(TAG_RESOURCE, content);
}

function scopeFrame(content: Uint8Array): Uint8Array {
  return frame(TAG_CHILDREN, content);
}

function frame(tag: number, content: Uint8Array): Uint8Array {
  const writer = new WireWriter(content.length + 16);
  writer.writeBytesField(tag, content);
  return writer.toBytes();
}
