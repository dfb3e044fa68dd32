/** Encodes a model once into a template: protobuf or OTLP/JSON bytes plus the places to patch in each request. */
import { assert } from '../stdx/assert.ts';
import type { FieldSpec, FieldValue, MessageModel, Patch, PatchKind } from './generators-schema.ts';
import { fieldsOf, isPatch } from './generators-schema.ts';

export interface Mark {
  offset: number;
  readonly kind: PatchKind;
  readonly index: number;
}

/** Text widths of patched values in JSON, inside their quotes. */
const JSON_PATCH_CHARS: Readonly<Record<PatchKind, number>> = {
  traceId: 32,
  spanId: 16,
  time: 19,
  userDigits: 8,
  itemDigits: 8,
  seqDigits: 8,
  double: 9,
  counter: 10,
};

/** A growing byte buffer that remembers where patched values lie. */
class MarkedBytes {
  bytes: Buffer = Buffer.alloc(64 * 1024);
  used = 0;
  readonly marks: Mark[] = [];

  reserve(sizeBytes: number): number {
    const offset = this.used;
    while (this.bytes.length < offset + sizeBytes)
      this.bytes = Buffer.concat([this.bytes, Buffer.alloc(this.bytes.length)]);
    this.used += sizeBytes;
    return offset;
  }

  byte(value: number): void {
    // The buffer may be another one after `reserve`, so that comes first.
    const offset = this.reserve(1);
    this.bytes[offset] = value;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.byte((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }

  text(value: string): void {
    const sizeBytes = Buffer.byteLength(value);
    const offset = this.reserve(sizeBytes);
    this.bytes.write(value, offset);
  }

  mark(patch: Patch, widthBytes: number, fill: number): void {
    const offset = this.reserve(widthBytes);
    this.bytes.fill(fill, offset, this.used);
    this.marks.push({ offset, kind: patch.kind, index: patch.index });
  }

  /** Writes what `body` writes behind its own length, as protobuf wants it. */
  delimited(body: () => void): void {
    const start = this.used;
    const firstMark = this.marks.length;
    body();
    const lengthBytes = this.used - start;
    let prefixBytes = 1;
    for (let rest = lengthBytes; rest >= 128; rest = Math.floor(rest / 128)) prefixBytes += 1;
    this.reserve(prefixBytes);
    this.bytes.copyWithin(start + prefixBytes, start, start + lengthBytes);
    const end = this.used;
    this.used = start;
    this.varint(lengthBytes);
    this.used = end;
    for (const mark of this.marks.slice(firstMark)) mark.offset += prefixBytes;
  }
}

function asNumbers(value: FieldValue): readonly number[] {
  assert(Array.isArray(value));
  return value as readonly number[];
}

function protoPatch(out: MarkedBytes, type: string, patch: Patch): void {
  if (type === 'string') {
    out.delimited(() => {
      out.text(patch.before ?? '');
      out.mark(patch, 8, 0x30);
      out.text(patch.after ?? '');
    });
  } else if (type === 'id') {
    out.delimited(() => out.mark(patch, patch.kind === 'traceId' ? 16 : 8, 0));
  } else {
    out.mark(patch, 8, 0);
  }
}

function protoFixed64(out: MarkedBytes, value: number): void {
  const offset = out.reserve(8);
  out.bytes.writeBigInt64LE(BigInt(value), offset);
}

function protoDouble(out: MarkedBytes, value: number): void {
  const offset = out.reserve(8);
  out.bytes.writeDoubleLE(value, offset);
}

const WIRE_TYPES: Readonly<Record<string, number>> = {
  bool: 0,
  int: 0,
  int64: 0,
  sint: 0,
  fixed64: 1,
  double: 1,
  fixed32: 5,
};

type ScalarWriter = (out: MarkedBytes, value: FieldValue) => void;

function packed(write: (out: MarkedBytes, value: number) => void): ScalarWriter {
  return (out, value) => {
    out.delimited(() => {
      for (const one of asNumbers(value)) write(out, one);
    });
  };
}

const SCALARS: Readonly<Record<string, ScalarWriter>> = {
  string: (out, value) => out.delimited(() => out.text(String(value))),
  bool: (out, value) => out.byte(value === true ? 1 : 0),
  int: (out, value) => out.varint(Number(value)),
  int64: (out, value) => out.varint(Number(value)),
  sint: (out, value) => out.varint(Number(value) < 0 ? -2 * Number(value) - 1 : 2 * Number(value)),
  fixed64: (out, value) => protoFixed64(out, Number(value)),
  double: (out, value) => protoDouble(out, Number(value)),
  fixed32: (out, value) => {
    const offset = out.reserve(4);
    out.bytes.writeUInt32LE(Number(value), offset);
  },
  'double[]': packed(protoDouble),
  'fixed64[]': packed(protoFixed64),
  'uint64[]': packed((out, value) => out.varint(value)),
};

function protoValue(out: MarkedBytes, type: string, value: FieldValue): void {
  const scalar = SCALARS[type];
  if (isPatch(value)) protoPatch(out, type, value);
  else if (scalar !== undefined) scalar(out, value);
  else out.delimited(() => protoMessage(out, type, value as MessageModel));
}

function protoMessage(out: MarkedBytes, type: string, model: MessageModel): void {
  const fields = fieldsOf(type);
  assert(fields !== undefined, `no message ${type}`);
  for (const field of fields) {
    const value = model[field.name];
    if (value === undefined) continue;
    const tag = field.number * 8 + (WIRE_TYPES[field.type] ?? 2);
    for (const one of field.isRepeated ? (value as readonly MessageModel[]) : [value]) {
      out.varint(tag);
      protoValue(out, field.type, one);
    }
  }
}

function jsonPatch(out: MarkedBytes, patch: Patch): void {
  const isBare = patch.kind === 'double';
  if (!isBare) out.text('"');
  // Texts around digits are ours and plain, so they need no escaping beyond what JSON.stringify would leave alone.
  out.text(patch.before ?? '');
  out.mark(patch, JSON_PATCH_CHARS[patch.kind], 0x30);
  out.text(patch.after ?? '');
  if (!isBare) out.text('"');
}

function jsonScalar(out: MarkedBytes, type: string, value: FieldValue): void {
  if (isPatch(value)) jsonPatch(out, value);
  else if (type === 'int64' || type === 'fixed64') out.text(`"${String(value)}"`);
  else if (type === 'fixed64[]' || type === 'uint64[]')
    out.text(JSON.stringify(asNumbers(value).map(String)));
  else out.text(JSON.stringify(value));
}

function jsonField(out: MarkedBytes, field: FieldSpec, value: FieldValue): void {
  if (fieldsOf(field.type) === undefined) {
    jsonScalar(out, field.type, value);
    return;
  }
  if (!field.isRepeated) {
    jsonMessage(out, field.type, value as MessageModel);
    return;
  }
  out.text('[');
  let isFirst = true;
  for (const one of value as readonly MessageModel[]) {
    if (!isFirst) out.text(',');
    isFirst = false;
    jsonMessage(out, field.type, one);
  }
  out.text(']');
}

function jsonMessage(out: MarkedBytes, type: string, model: MessageModel): void {
  out.text('{');
  let isFirst = true;
  for (const field of fieldsOf(type) ?? []) {
    const value = model[field.name];
    if (value === undefined) continue;
    out.text(`${isFirst ? '' : ','}"${field.name}":`);
    isFirst = false;
    jsonField(out, field, value);
  }
  out.text('}');
}

/** Bytes of the model with zeros where patches go, and the offset of each patch in them. */
export function encodeModel(
  encoding: 'proto' | 'json',
  type: string,
  model: MessageModel,
): { bytes: Uint8Array; marks: readonly Mark[] } {
  const out = new MarkedBytes();
  if (encoding === 'proto') protoMessage(out, type, model);
  else jsonMessage(out, type, model);
  return { bytes: Uint8Array.prototype.slice.call(out.bytes, 0, out.used), marks: out.marks };
}
