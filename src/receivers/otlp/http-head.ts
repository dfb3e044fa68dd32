/** Collects what an exchange needs of a header block, one line at a time, for every server alike. */
import type { HttpRequestHead } from './http-server.ts';

/** @param target as in the request line; the query is cut off. */
export function createHead(method: string, target: string): HttpRequestHead {
  const query = target.indexOf('?');
  return {
    method,
    path: query < 0 ? target : target.slice(0, query),
    headerCount: 0,
    contentType: '',
    contentEncoding: '',
    contentLengthBytes: -1,
    transferEncoding: '',
    hasTwoLengths: false,
    origin: '',
    requestMethod: '',
    traceParent: '',
  };
}

/**
 * Adds one header line. Lengths are compared before letters: most lines are none of ours, and building a
 * map of all of them costs more than the rest of a small request.
 */
export function addHeader(head: HttpRequestHead, name: string, value: string): void {
  head.headerCount += 1;
  switch (name.length) {
    case 6:
      if (name.toLowerCase() === 'origin') head.origin = value;
      break;
    case 11:
      if (name.toLowerCase() === 'traceparent') head.traceParent = value;
      break;
    case 12:
      if (name.toLowerCase() === 'content-type') head.contentType = value;
      break;
    case 14:
      if (name.toLowerCase() === 'content-length') addLength(head, Number(value));
      break;
    case 16:
      if (name.toLowerCase() === 'content-encoding') {
        head.contentEncoding = joinList(head.contentEncoding, value);
      }
      break;
    case 17:
      if (name.toLowerCase() === 'transfer-encoding') {
        head.transferEncoding = joinList(head.transferEncoding, value);
      }
      break;
    case 29:
      if (name.toLowerCase() === 'access-control-request-method') head.requestMethod = value;
      break;
  }
}

function addLength(head: HttpRequestHead, lengthBytes: number): void {
  head.hasTwoLengths = head.contentLengthBytes >= 0;
  head.contentLengthBytes = lengthBytes;
}

/** Two lines of a name are one list (RFC 9110, section 5.3). */
function joinList(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`;
}
