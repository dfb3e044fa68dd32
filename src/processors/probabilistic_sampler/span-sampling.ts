import type { ProcessorRequest } from '../../component/processor.ts';
import { ANY_DOUBLE, ANY_INT, ANY_STRING, type AnyValueView } from '../../otlp/any-value-view.ts';
import { skipLongField } from '../../otlp/attribute-set.ts';
import { AttributeCursor } from '../../otlp/item-view.ts';
import { TAG_KEY_VALUE_KEY, TAG_SPAN_ATTRIBUTES, TAG_SPAN_TRACE_STATE } from '../../otlp/tags.ts';
import { lengthEnd, skipField, skipVarint, WIRE_LEN } from '../../otlp/wire-reader.ts';
import type { WireWriter } from '../../otlp/wire-writer.ts';
import type { RequestIndex } from '../../pdata/request-index.ts';
import { parseDouble } from '../helper/action-values.ts';
import { Bits56 } from './bits56.ts';
import { type ItemSampling, isTraceIdAt, TRACE_ID_BYTES } from './item-sampling.ts';
import { POLICY_TRACE_ID_HASH, type Sampler } from './sampler.ts';
import { TraceState } from './trace-state.ts';

const PRIORITY_KEY = new TextEncoder().encode('sampling.priority');
const PRIORITY_TEXT_BYTES_MAX = 400;
const ALWAYS = new Bits56();
const NEVER = new Bits56();
NEVER.setNever();

/** Samples spans: information in `tracestate`, priority in the attribute `sampling.priority`. */
export class SpanSampling implements ItemSampling {
  readonly #sampler: Sampler;
  readonly #state = new TraceState();
  readonly #attribute = new AttributeCursor();
  #bytes: Uint8Array = new Uint8Array(0);
  #index: RequestIndex | undefined;
  #start = 0;
  #end = 0;
  /** The last `trace_state` field and its text; 0 without one. */
  #fieldStart = 0;
  #fieldEnd = 0;
  #textStart = 0;
  #hasPriority = false;

  constructor(sampler: Sampler) {
    this.#sampler = sampler;
  }

  begin(request: ProcessorRequest): void {
    this.#bytes = request.bytes;
    this.#index = request.index();
  }

  decide(item: number, start: number, end: number): boolean {
    const bytes = this.#bytes;
    const sampler = this.#sampler;
    this.#readFields(start, end);
    const state = this.#state;
    state.read(bytes, this.#textStart, this.#fieldEnd);
    const at = this.#index!.itemTraceId[item]!;
    const traceIdAt = isTraceIdAt(bytes, at) ? at : 0;
    if (sampler.isHashing) {
      if (traceIdAt > 0) sampler.hash(POLICY_TRACE_ID_HASH, bytes, at, at + TRACE_ID_BYTES);
      else sampler.hashNothing();
    }
    sampler.decide(state, bytes, traceIdAt, true);
    if (this.#hasPriority) {
      const priority = priorityOf(this.#attribute.value);
      if (priority !== undefined && priority >= 0) sampler.setPriority(priority > 0 ? ALWAYS : NEVER);
    }
    return sampler.isSampled;
  }

  update(): boolean {
    const state = this.#state;
    if (!this.#sampler.update(state)) return false;
    state.write();
    return state.isChanged;
  }

  write(writer: WireWriter): void {
    const { written, writtenBytes } = this.#state;
    const isNew = this.#fieldEnd === 0;
    writer.writeRaw(this.#bytes, this.#start, isNew ? this.#end : this.#fieldStart);
    writer.writeBytesField(TAG_SPAN_TRACE_STATE, written, 0, writtenBytes);
    if (!isNew && this.#fieldEnd < this.#end) writer.writeRaw(this.#bytes, this.#fieldEnd, this.#end);
  }

  /** One look over the span: the last `trace_state` counts, and the first attribute of that name. */
  #readFields(start: number, end: number): void {
    const bytes = this.#bytes;
    this.#start = start;
    this.#end = end;
    this.#fieldStart = 0;
    this.#fieldEnd = 0;
    this.#textStart = 0;
    this.#hasPriority = false;
    for (let pos = start; pos < end; ) {
      const tag = bytes[pos]!;
      if (tag >= 0x80) {
        pos = skipLongField(bytes, pos, end);
        continue;
      }
      if ((tag & 7) !== WIRE_LEN) {
        pos = skipField(bytes, tag, pos + 1, end, 0);
        continue;
      }
      const fieldEnd = lengthEnd(bytes, pos + 1, end);
      if (tag === TAG_SPAN_TRACE_STATE) {
        this.#fieldStart = pos;
        this.#fieldEnd = fieldEnd;
        this.#textStart = bytes[pos + 1]! < 0x80 ? pos + 2 : skipVarint(bytes, pos + 1, fieldEnd);
      } else if (tag === TAG_SPAN_ATTRIBUTES && !this.#hasPriority) {
        this.#hasPriority = this.#isPriority(pos, fieldEnd);
      }
      pos = fieldEnd;
    }
  }

  #isPriority(fieldStart: number, fieldEnd: number): boolean {
    const bytes = this.#bytes;
    const body = bytes[fieldStart + 1]! < 0x80 ? fieldStart + 2 : skipVarint(bytes, fieldStart + 1, fieldEnd);
    // Nearly every attribute begins with its key, and nearly every key has another length.
    if (body + 1 < fieldEnd && bytes[body] === TAG_KEY_VALUE_KEY && bytes[body + 1] !== PRIORITY_KEY.length) {
      return false;
    }
    this.#attribute.reset(bytes, fieldStart, fieldEnd, TAG_SPAN_ATTRIBUTES);
    return this.#attribute.find(PRIORITY_KEY);
  }
}

/** The number in an int, a double or a text; undefined for what is no number. */
function priorityOf(value: AnyValueView): number | undefined {
  if (value.kind === ANY_INT) return value.hi !== 0 ? value.hi : value.lo >>> 0;
  if (value.kind === ANY_DOUBLE) return value.double();
  if (value.kind !== ANY_STRING || value.end - value.start > PRIORITY_TEXT_BYTES_MAX) return undefined;
  return parseDouble(value.text());
}
