/** Network addresses as configuration writes them. */

export interface HostPort {
  /** Without brackets; empty means every address of the machine. */
  host: string;
  /** 0 asks the operating system for a free port. */
  port: number;
}

/** `host:port`, `:port` or `[v6]:port`. @returns undefined when the text is none of them. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s:[\]/@]*)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port > 65_535 ? undefined : { host: match[1] ?? match[2]!, port };
}

/** The text of an address for messages and logs: user names, passwords and query strings are taken out. */
export function redactEndpoint(text: string): string {
  // A password may hold a slash or an @ that should have been escaped: everything up to the last @ goes.
  const withoutUser = text.replace(/^([a-z][a-z0-9+.-]*:\/\/\/?|\/\/)?.*@/is, '$1[REDACTED]@');
  return withoutUser.replace(/\?.*$/s, '?[REDACTED]');
}
