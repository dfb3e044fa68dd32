/** From what stands in an archive to requests as exporters take them: valid protobuf without invalid items. */
import { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';
import { jsonToProto } from '../otlp/json-to-proto.ts';
import { scanRequest } from '../otlp/scan.ts';
import { withoutRejected } from '../otlp/slice.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import type { ArchiveMessage } from '../s3/archive-messages.ts';

export interface DecodedRequest {
  bytes: Uint8Array;
  itemCount: number;
  /** Items that were left out. */
  invalidCount: number;
}

// Decoding is synchronous and not re-entrant.
const INDEX = new RequestIndex();

/** @throws PipelineError permanent for what is no request of this signal. */
export function decodeMessage(signal: Signal, { encoding, bytes }: ArchiveMessage): DecodedRequest {
  const proto = encoding === 'json' ? jsonToProto(signal, bytes) : bytes;
  scanRequest(signal, proto, 0, proto.length, INDEX);
  const invalidCount = INDEX.rejectedCount;
  const itemCount = INDEX.itemCount - invalidCount;
  const whole = INDEX.needsRewrite ? withoutRejected(signal, proto, 0, proto.length, INDEX) : proto;
  return { bytes: whole, itemCount, invalidCount };
}

/**
 * Which signal a message is.
 * @param named by the object's key.
 * @param wanted by the user; one alone is believed where nothing else says.
 */
export function signalOfMessage(
  message: ArchiveMessage,
  named: Signal | undefined,
  wanted: readonly Signal[],
): Signal {
  const signal = message.signal ?? named ?? (wanted.length === 1 ? wanted[0] : undefined);
  if (signal !== undefined) return signal;
  const text = 'protobuf whose name does not say which signal it is: --signal says so';
  throw new PipelineError('OTLP_UNSUPPORTED_ENCODING', text, { permanent: true });
}
