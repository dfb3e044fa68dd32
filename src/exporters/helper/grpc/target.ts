/** Endpoints of gRPC clients: `host:port`, a URL whose scheme decides about TLS, or a gRPC target. */
import type { HostPort } from '../../../config/host-port.ts';
import { parseHostPort } from '../../../config/host-port.ts';

export interface GrpcTarget {
  /** What the endpoint itself says about TLS; undefined leaves it to the `tls` section. */
  isSecure: boolean | undefined;
  /** A path of a Unix socket, or an address. */
  at: { path: string } | HostPort;
  /** What requests name as their host. */
  authority: string;
}

const DEFAULT_PORT = 443;
const USER_INFORMATION_MESSAGE =
  'must not hold user information or a query: credentials belong into "headers" or "auth"';

/** @returns the target, or what is wrong with the text. */
export function parseTarget(text: string): GrpcTarget | { error: string } {
  if (text.trim() === '') return { error: 'requires a non-empty "endpoint"' };
  // Told before anything of the text is: a password must not be in a message.
  if (/[@?]/.test(text)) return { error: USER_INFORMATION_MESSAGE };
  const scheme = /^(https?):\/\//.exec(text)?.[1];
  const isSecure = scheme === undefined ? undefined : scheme === 'https';
  const rest = scheme === undefined ? text : text.slice(scheme.length + 3).replace(/\/$/, '');
  const unix = /^unix:(?:\/\/)?(.+)$/.exec(rest);
  if (unix !== null) return { isSecure, at: { path: unix[1]! }, authority: 'localhost' };
  const named = /^(dns|passthrough):(?:\/\/([^/]*)\/)?(.*)$/.exec(rest);
  if (named !== null && (named[2] ?? '') !== '') {
    return { error: 'a DNS server in the endpoint is not supported' };
  }
  return addressTarget(isSecure, named === null ? rest : named[3]!);
}

function addressTarget(isSecure: boolean | undefined, text: string): GrpcTarget | { error: string } {
  const port = /:([^:\]]*)$/.exec(text)?.[1];
  const isBare = port === undefined || text.endsWith(']');
  if (!isBare && !/^\d{1,5}$/.test(port)) return { error: `invalid port "${port}"` };
  const at = parseHostPort(isBare ? `${text}:${DEFAULT_PORT}` : text);
  if (at === undefined || at.host === '' || at.port === 0) {
    return { error: isBare || at !== undefined ? 'expected host:port' : `invalid port "${port}"` };
  }
  return { isSecure, at, authority: text };
}
