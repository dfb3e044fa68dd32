import { EvaluationError } from '../errors.ts';
import type { Value } from '../value.ts';

const SCHEME = /^([a-zA-Z][a-zA-Z0-9+.-]*):/;
const CONTROL = /[\u0000-\u001f\u007f]/;

function unescaped(text: string): string {
  if (/%(?![0-9a-fA-F]{2})/.test(text))
    throw new EvaluationError('a % in a URL is followed by two hexadecimal digits');
  try {
    return decodeURIComponent(text);
  } catch {
    return Buffer.from(
      text.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    ).toString();
  }
}

/** Parts of a URL under the names of the semantic conventions; relative ones have fewer. */
export function urlParts(text: string): Value {
  if (text === '') throw new EvaluationError('the URL is empty');
  if (CONTROL.test(text)) throw new EvaluationError('a URL holds no control characters');
  if (text.startsWith('?')) return new Map([['query', queryOf(text.slice(1))]]);
  const hash = text.indexOf('#');
  const fragment = hash < 0 ? '' : unescaped(text.slice(hash + 1));
  let rest = hash < 0 ? text : text.slice(0, hash);
  const [whole = '', scheme = ''] = SCHEME.exec(rest) ?? [];
  rest = rest.slice(whole.length);
  const mark = rest.indexOf('?');
  const query = mark < 0 ? '' : rest.slice(mark + 1);
  if (mark >= 0) rest = rest.slice(0, mark);
  let authority = '';
  if (rest.startsWith('//')) {
    const end = rest.indexOf('/', 2);
    authority = end < 0 ? rest.slice(2) : rest.slice(2, end);
    rest = end < 0 ? '' : rest.slice(end);
  }
  if (whole === '' && /^[^/]*:/.test(rest))
    throw new EvaluationError('a URL with a colon before its first slash');
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? undefined : authority.slice(0, at);
  const { host, port } = hostPort(authority.slice(at + 1));
  const path = whole !== '' && authority === '' && !rest.startsWith('/') ? '' : unescaped(rest);
  const parts = new Map<string, Value>([
    ['url.original', text],
    ['url.domain', host],
    ['url.scheme', scheme.toLowerCase()],
    ['url.path', path],
  ]);
  if (port !== '') parts.set('url.port', BigInt(port));
  if (fragment !== '') parts.set('url.fragment', fragment);
  if (user !== undefined) addUser(parts, user);
  if (query !== '') parts.set('url.query', query);
  const dot = path.lastIndexOf('.');
  if (dot >= 0 && dot < path.length - 1) parts.set('url.extension', path.slice(dot + 1));
  return parts;
}

/** A query alone, as a map of lists. */
function queryOf(text: string): Value {
  const query = new Map<string, Value[]>();
  for (const [key, value] of new URLSearchParams(text)) query.set(key, [...(query.get(key) ?? []), value]);
  return query;
}

function hostPort(text: string): { host: string; port: string } {
  const [, host, port = ''] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]*))?$/.exec(text) ?? [];
  if (host === undefined) throw new EvaluationError('a URL with an invalid port');
  if (/[ <>"{}|\\^`]/.test(host)) throw new EvaluationError('a URL with an invalid character in its host');
  return { host: unescaped(host.replace(/^\[|\]$/g, '')), port };
}

function addUser(parts: Map<string, Value>, user: string): void {
  const colon = user.indexOf(':');
  const name = unescaped(colon < 0 ? user : user.slice(0, colon));
  parts.set('url.user_info', user);
  if (name !== '') parts.set('url.username', name);
  if (colon >= 0) parts.set('url.password', unescaped(user.slice(colon + 1)));
}
