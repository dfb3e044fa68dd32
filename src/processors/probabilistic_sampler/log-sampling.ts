import type { ProcessorRequest } from '../../component/processor.ts';
import { valueText } from '../../otlp/any-value-text.ts';
import {
  ANY_BYTES,
  ANY_DOUBLE,
  ANY_EMPTY,
  ANY_INT,
  ANY_STRING,
  AnyValueView,
} from '../../otlp/any-value-view.ts';
import { AttributeSet, FROM_COMPUTED } from '../../otlp/attribute-set.ts';
import { TAG_ANY_STRING_VALUE, TAG_LOG_ATTRIBUTES } from '../../otlp/tags.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import type { RequestIndex } from '../../pdata/request-index.ts';
import { type ConstantRange, Constants } from '../helper/constants.ts';
import { DECIMAL_BYTES_MAX, writeDecimal } from '../helper/decimal-digits.ts';
import { Bits56, HEX_DIGITS } from './bits56.ts';
import type { SamplerConfig } from './config.ts';
import { type ItemSampling, isTraceIdAt, TRACE_ID_BYTES } from './item-sampling.ts';
import { POLICY_ATTRIBUTE, POLICY_TRACE_ID_HASH, type Sampler, type SamplingInfo } from './sampler.ts';

const UTF8 = new TextEncoder();
const THRESHOLD_NAME = 'sampling.threshold';
const RANDOMNESS_NAME = 'sampling.randomness';
const THRESHOLD_KEY = UTF8.encode(THRESHOLD_NAME);
const RANDOMNESS_KEY = UTF8.encode(RANDOMNESS_NAME);

/** What a record says in its two attributes. Empty texts and other types count as absent. */
class RecordInfo implements SamplingInfo {
  isMalformed = false;
  hasThreshold = false;
  readonly threshold = new Bits56();
  hasRandomness = false;
  readonly randomness = new Bits56();
  isThresholdNew = false;
  isRandomnessNew = false;
  readonly #value = new AnyValueView();

  read(set: AttributeSet): void {
    this.isThresholdNew = false;
    this.isRandomnessNew = false;
    this.hasThreshold = this.#find(set, THRESHOLD_KEY);
    this.isMalformed = this.hasThreshold && !this.#readDigits(this.threshold);
    this.hasRandomness = this.#find(set, RANDOMNESS_KEY);
    if (!this.hasRandomness) return;
    const isFull = this.#value.end - this.#value.start === HEX_DIGITS;
    if (!isFull || !this.#readDigits(this.randomness)) this.isMalformed = true;
  }

  setThreshold(threshold: Bits56): void {
    this.threshold.copy(threshold);
    this.hasThreshold = true;
    this.isThresholdNew = true;
  }

  setRandomness(randomness: Bits56): void {
    this.randomness.copy(randomness);
    this.hasRandomness = true;
    this.isRandomnessNew = true;
  }

  clearThreshold(): void {
    this.hasThreshold = false;
  }

  #find(set: AttributeSet, key: Uint8Array): boolean {
    const entry = set.find(key);
    if (entry < 0) return false;
    set.readValue(entry, this.#value);
    return this.#value.kind === ANY_STRING && this.#value.end > this.#value.start;
  }

  #readDigits(number: Bits56): boolean {
    return number.readHex(this.#value.bytes, this.#value.start, this.#value.end);
  }
}

/** Samples log records: information and priority in attributes of the record. */
export class LogSampling implements ItemSampling {
  readonly #sampler: Sampler;
  readonly #hashesTraceId: boolean;
  readonly #hashedKey: Uint8Array | undefined;
  readonly #priorityKey: Uint8Array | undefined;
  readonly #precisionDigits: number;
  readonly #info = new RecordInfo();
  readonly #computed = new WireWriter(64);
  readonly #thresholdName: ConstantRange;
  readonly #randomnessName: ConstantRange;
  readonly #set: AttributeSet;
  readonly #value = new AnyValueView();
  readonly #priority = new Bits56();
  readonly #digits = new Uint8Array(HEX_DIGITS);
  readonly #decimal = new Uint8Array(DECIMAL_BYTES_MAX);
  #bytes: Uint8Array = new Uint8Array(0);
  #index: RequestIndex | undefined;

  constructor(sampler: Sampler, config: SamplerConfig) {
    this.#sampler = sampler;
    this.#hashesTraceId = config.attributeSource === 'traceID';
    this.#hashedKey = config.fromAttribute === '' ? undefined : UTF8.encode(config.fromAttribute);
    this.#priorityKey = config.samplingPriority === '' ? undefined : UTF8.encode(config.samplingPriority);
    this.#precisionDigits = config.samplingPrecision;
    const constants = new Constants();
    this.#thresholdName = constants.addText(THRESHOLD_NAME);
    this.#randomnessName = constants.addText(RANDOMNESS_NAME);
    this.#set = new AttributeSet(constants.toBytes(), this.#computed);
  }

  begin(request: ProcessorRequest): void {
    this.#bytes = request.bytes;
    this.#index = request.index();
  }

  decide(item: number, start: number, end: number): boolean {
    const bytes = this.#bytes;
    const sampler = this.#sampler;
    this.#set.load(bytes, start, end, TAG_LOG_ATTRIBUTES);
    this.#info.read(this.#set);
    const at = this.#index!.itemTraceId[item]!;
    const traceIdAt = isTraceIdAt(bytes, at) ? at : 0;
    if (sampler.isHashing) {
      if (this.#hashesTraceId && traceIdAt > 0) {
        sampler.hash(POLICY_TRACE_ID_HASH, bytes, at, at + TRACE_ID_BYTES);
      } else if (!this.#hashAttribute()) sampler.hashNothing();
    }
    sampler.decide(this.#info, bytes, traceIdAt, false);
    if (this.#readPriority()) sampler.setPriority(this.#priority);
    return sampler.isSampled;
  }

  update(): boolean {
    const info = this.#info;
    if (!this.#sampler.update(info)) return false;
    if (info.isRandomnessNew) {
      info.randomness.writeRandomness(this.#digits, 0);
      this.#put(RANDOMNESS_KEY, this.#randomnessName, HEX_DIGITS);
    }
    if (info.isThresholdNew) {
      const digits = info.threshold.writeThreshold(this.#digits, 0);
      this.#put(THRESHOLD_KEY, this.#thresholdName, digits);
    }
    return this.#set.isChanged;
  }

  write(writer: WireWriter): void {
    this.#set.write(writer);
  }

  /** Gives an attribute the first digits as its text, unless it has that text already. */
  #put(key: Uint8Array, name: ConstantRange, digits: number): void {
    const set = this.#set;
    const computed = this.#computed;
    const entry = set.find(key);
    if (entry >= 0 && this.#hasDigits(entry, digits)) return;
    const start = computed.pos;
    computed.writeBytesField(TAG_ANY_STRING_VALUE, this.#digits, 0, digits);
    if (entry >= 0) set.replace(entry, FROM_COMPUTED, start, computed.pos);
    else set.add(name.start, name.end, FROM_COMPUTED, start, computed.pos);
  }

  #hasDigits(entry: number, digits: number): boolean {
    const value = this.#value;
    this.#set.readValue(entry, value);
    if (value.kind !== ANY_STRING || value.end - value.start !== digits) return false;
    for (let at = 0; at < digits; at++) if (value.bytes[value.start + at] !== this.#digits[at]) return false;
    return true;
  }

  #hashAttribute(): boolean {
    if (this.#hashedKey === undefined) return false;
    const entry = this.#set.find(this.#hashedKey);
    if (entry < 0) return false;
    const value = this.#value;
    this.#set.readValue(entry, value);
    switch (value.kind) {
      case ANY_EMPTY:
        return false;
      case ANY_STRING:
      case ANY_BYTES:
        if (value.end === value.start) return false;
        this.#sampler.hash(POLICY_ATTRIBUTE, value.bytes, value.start, value.end);
        return true;
    }
    const number = value.kind === ANY_INT ? value.hi * 2 ** 32 + (value.lo >>> 0) : Number.NaN;
    if (Number.isSafeInteger(number)) {
      const decimal = this.#decimal;
      this.#sampler.hash(POLICY_ATTRIBUTE, decimal, writeDecimal(decimal, number), decimal.length);
    } else {
      const text = UTF8.encode(valueText(value));
      this.#sampler.hash(POLICY_ATTRIBUTE, text, 0, text.length);
    }
    return true;
  }

  /** A percentage over 0 and up to 100; anything else leaves the decision as it is. */
  #readPriority(): boolean {
    if (this.#priorityKey === undefined) return false;
    const entry = this.#set.find(this.#priorityKey);
    if (entry < 0) return false;
    const value = this.#value;
    this.#set.readValue(entry, value);
    let percentage = 0;
    if (value.kind === ANY_INT) percentage = value.hi === 0 ? value.lo >>> 0 : -1;
    else if (value.kind === ANY_DOUBLE) percentage = value.double();
    return this.#priority.setProbability(percentage / 100, this.#precisionDigits);
  }
}
