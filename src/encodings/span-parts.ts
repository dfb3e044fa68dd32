/** Parts of an OTLP span that several encodings write. */
import * as tags from '../otlp/tags.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';

export const STATUS_UNSET = 0;
export const STATUS_OK = 1;
export const STATUS_ERROR = 2;

export const KIND_UNSPECIFIED = 0;
export const KIND_INTERNAL = 1;
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;
export const KIND_PRODUCER = 4;
export const KIND_CONSUMER = 5;

export interface SpanStatus {
  code: number;
  message: string;
}

export function writeStatus(out: WireWriter, status: SpanStatus): void {
  const mark = out.beginMessage(tags.TAG_SPAN_STATUS);
  if (status.message !== '') out.writeStringField(tags.TAG_STATUS_MESSAGE, status.message);
  out.writeVarint32(tags.TAG_STATUS_CODE);
  out.writeVarint64(status.code, status.code >> 31);
  out.endMessage(mark);
}
