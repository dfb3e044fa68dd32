/** The status that binary annotations of a Zipkin v1 span tell, in the order in which they are believed. */
import type { PlainValue } from '../otlp/any-value-write.ts';
import * as parts from './span-parts.ts';
import { wholeNumber } from './span-tags.ts';

const INT32_MAX = 0x7fff_ffff;
const INT32_MIN = -0x8000_0000;

export class ZipkinV1Status {
  #census: number | undefined;
  #censusMessage = '';
  #own: number | undefined;
  #ownMessage = '';
  #http: number | undefined;
  #httpMessage = '';
  #hasError = false;

  /** @returns true for an annotation that is no attribute any more. */
  take(key: string, value: PlainValue): boolean {
    switch (key) {
      case 'census.status_code': {
        // OpenCensus counts from 0, where 0 is good.
        const code = int32Of(value);
        if (code !== undefined) this.#census = code === 0 ? parts.STATUS_OK : parts.STATUS_ERROR;
        return true;
      }
      case 'census.status_description':
      case 'opencensus.status_description':
        this.#censusMessage = textOf(value);
        return true;
      case 'otel.status_code':
        this.#own = int32Of(value) ?? this.#own;
        return true;
      case 'otel.status_description':
        this.#ownMessage = textOf(value);
        return true;
      case 'http.status_code':
      case 'http.response.status_code': {
        const code = int32Of(value);
        if (code !== undefined) {
          this.#http = code >= 100 && code < 400 ? parts.STATUS_UNSET : parts.STATUS_ERROR;
        }
        return false;
      }
      case 'http.status_message':
        this.#httpMessage = textOf(value);
        return false;
      case 'error':
        this.#hasError = true;
        return true;
      default:
        return false;
    }
  }

  /** Undefined when no annotation says anything. */
  result(): parts.SpanStatus | undefined {
    if (this.#census !== undefined) return { code: this.#census, message: this.#censusMessage };
    if (this.#own !== undefined) return { code: this.#own, message: this.#ownMessage };
    if (this.#hasError) {
      return { code: parts.STATUS_ERROR, message: this.#censusMessage || this.#ownMessage };
    }
    return this.#http === undefined ? undefined : { code: this.#http, message: this.#httpMessage };
  }
}

function textOf(value: PlainValue): string {
  return typeof value === 'string' ? value : '';
}

function int32Of(value: PlainValue): number | undefined {
  const whole = typeof value === 'string' ? wholeNumber(value) : value;
  if (typeof whole !== 'bigint' && typeof whole !== 'number') return undefined;
  const number = Number(whole);
  return Number.isInteger(number) && number >= INT32_MIN && number <= INT32_MAX ? number : undefined;
}
