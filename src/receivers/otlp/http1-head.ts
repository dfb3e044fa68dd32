/**
 * The request line and header block of HTTP/1.1, read strictly (RFC 9112): what two readers could understand in
 * two ways is refused, because one of them may be a proxy in front of us.
 */
import { METHODS } from 'node:http';
import { addHeader, createHead } from './http-head.ts';
import type { HttpRequestHead } from './http-server.ts';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;

/** Where the body ends: after as many bytes, or (chunked) where its own framing says. */
export const BODY_CHUNKED = -1;

export interface Http1Head {
  head: HttpRequestHead;
  /** Bytes, or BODY_CHUNKED. */
  bodyBytes: number;
  /** Names and values in turn, as sent; for credentials. */
  lines: readonly string[];
  /** The client waits for `100 Continue` before it sends the body. */
  expectsContinue: boolean;
  /** The client, or its version, does not want another request on this connection. */
  isLast: boolean;
}

/** Status of the answer to a head that cannot be served; nobody can say where the next one starts. */
export type HeadRefusal = 400 | 417 | 501 | 505;

/** Up to the path. */
const ABSOLUTE_FORM = /^https?:\/\/[\w.:[\]-]+(?=[/?]|$)/i;

/** A tunnel would change the meaning of every byte after its head. */
const KNOWN_METHODS = new Set(METHODS.filter((method) => method !== 'CONNECT'));

const TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const IS_TOKEN = new Uint8Array(256);
for (let i = 0; i < TOKEN_CHARS.length; i++) IS_TOKEN[TOKEN_CHARS.charCodeAt(i)] = 1;

/** RFC 9110, section 5.6.2. */
export function isTokenByte(byte: number): boolean {
  return IS_TOKEN[byte] === 1;
}

/** Field content and chunk extensions: everything but the control characters, of which only the tab is allowed. */
export function isTextByte(byte: number): boolean {
  return (byte >= SPACE && byte !== 0x7f) || byte === TAB;
}

/**
 * @param from where to look first; three bytes before the end of what was looked at before.
 * @returns index after the empty line that ends the block, -1 when it has not come yet.
 */
export function findHeadEnd(bytes: Buffer, from: number): number {
  const at = bytes.indexOf('\r\n\r\n', from, 'latin1');
  return at < 0 ? -1 : at + 4;
}

/**
 * Reads one head.
 *
 * @param bytes not kept.
 * @param end as findHeadEnd told.
 */
export function parseHead(bytes: Buffer, start: number, end: number): Http1Head | HeadRefusal {
  const lineEnd = bytes.indexOf(CR, start);
  if (bytes[lineEnd + 1] !== LF) return 400;
  const requestLine = bytes.toString('latin1', start, lineEnd);
  const parts = requestLine.split(' ');
  if (parts.length !== 3) return 400;
  const [method, target, version] = parts as [string, string, string];
  if (!isToken(bytes, start, start + method.length) || !isTarget(target)) return 400;
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') return /^HTTP\/\d\.\d$/.test(version) ? 505 : 400;
  if (!KNOWN_METHODS.has(method)) return 501;
  const reader = new HeadReader(createHead(method, originForm(target)), version === 'HTTP/1.0');
  let at = lineEnd + 2;
  // The block ends with an empty line, so every line before it ends inside.
  while (at < end - 2) {
    const next = reader.readLine(bytes, at);
    if (next < 0) return 400;
    at = next;
  }
  return reader.finish();
}

class HeadReader {
  readonly #head: HttpRequestHead;
  readonly #isOld: boolean;
  readonly #lines: string[] = [];
  #hosts = 0;
  #bodyBytes = 0;
  #hasLength = false;
  #codings = 0;
  #expect = '';
  #connection = '';

  constructor(head: HttpRequestHead, isOld: boolean) {
    this.#head = head;
    this.#isOld = isOld;
  }

  /** @returns start of the next line, -1 when this one is no header line. */
  readLine(bytes: Buffer, start: number): number {
    let colon = start;
    while (IS_TOKEN[bytes[colon]!] === 1) colon++;
    // A folded line starts with a blank, and a blank before the colon hides a name from other readers.
    if (colon === start || bytes[colon] !== COLON) return -1;
    let end = colon + 1;
    while (isTextByte(bytes[end]!)) end++;
    if (bytes[end] !== CR || bytes[end + 1] !== LF) return -1;
    let from = colon + 1;
    let to = end;
    let hasTab = false;
    for (; from < to && isBlank(bytes[from]!); from++) hasTab ||= bytes[from] === TAB;
    for (; to > from && isBlank(bytes[to - 1]!); to--) hasTab ||= bytes[to - 1] === TAB;
    const name = bytes.toString('latin1', start, colon);
    // In what decides on framing a tab is not taken for a blank, since not every reader does.
    const isKnown = this.#take(name, bytes.toString('latin1', from, to), hasTab);
    return isKnown ? end + 2 : -1;
  }

  finish(): Http1Head | HeadRefusal {
    if (this.#hosts > 1 || (this.#hosts === 0 && !this.#isOld)) return 400;
    const isChunked = this.#codings > 0;
    if (isChunked && (this.#hasLength || this.#isOld)) return 400;
    const expectsContinue = !this.#isOld && this.#expect !== '';
    if (expectsContinue && this.#expect.toLowerCase() !== '100-continue') return 417;
    return {
      head: this.#head,
      bodyBytes: isChunked ? BODY_CHUNKED : this.#bodyBytes,
      lines: this.#lines,
      expectsContinue,
      isLast: this.#isOld || hasClose(this.#connection),
    };
  }

  /** What decides on framing is read here; the rest is what every server looks at. */
  #take(name: string, value: string, hasTab: boolean): boolean {
    this.#lines.push(name, value);
    addHeader(this.#head, name, value);
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') this.#hosts += 1;
        return true;
      case 6:
        if (name.toLowerCase() === 'expect') this.#expect = this.#expect === '' ? value : `${this.#expect},`;
        return true;
      case 10:
        if (name.toLowerCase() === 'connection') this.#connection += `,${value}`;
        return true;
      case 14:
        return name.toLowerCase() !== 'content-length' || (!hasTab && this.#takeLength(value));
      case 17:
        return name.toLowerCase() !== 'transfer-encoding' || (!hasTab && this.#takeCoding(value));
      default:
        return true;
    }
  }

  /** One line with one number: even the same length twice is not a request of an honest client. */
  #takeLength(value: string): boolean {
    if (this.#hasLength || !/^\d{1,15}$/.test(value)) return false;
    this.#hasLength = true;
    this.#bodyBytes = Number(value);
    return true;
  }

  /** `chunked` alone: after any other coding the end of the body is anybody's guess. */
  #takeCoding(value: string): boolean {
    this.#codings += 1;
    return this.#codings === 1 && value.toLowerCase() === 'chunked';
  }
}

function isToken(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end && IS_TOKEN[bytes[at]!] === 1) at++;
  return at === end && end > start;
}

/** Visible ASCII only, in one of the forms that are sent to a server (RFC 9112, section 3.2). */
function isTarget(target: string): boolean {
  for (let i = 0; i < target.length; i++) {
    const code = target.charCodeAt(i);
    if (code <= SPACE || code >= 0x7f) return false;
  }
  return target.startsWith('/') || target === '*' || ABSOLUTE_FORM.test(target);
}

/** A server has to take the absolute form as well, although only proxies send it (RFC 9112, section 3.2.2). */
function originForm(target: string): string {
  const authority = ABSOLUTE_FORM.exec(target);
  if (authority === null) return target;
  const rest = target.slice(authority[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** @param list values of all `Connection` lines. */
function hasClose(list: string): boolean {
  if (list === '') return false;
  return list.split(',').some((option) => option.trim().toLowerCase() === 'close');
}
