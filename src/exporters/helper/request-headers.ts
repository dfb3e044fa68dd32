/** `headers` of clients: names and values that can be sent. Values are credentials as often as not. */
import type { CheckIssue } from '../../config/schema.ts';

/** RFC 9110, 5.6.2. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Visible ASCII, blanks and bytes above: no line ends, which would begin another header. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** The connection's own business: a wrong one breaks every request. */
export const FRAMING_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** @returns an issue for each header that cannot be sent; no message shows a value. */
export function checkHeaders(headers: Readonly<Record<string, string>>): CheckIssue[] {
  const issues: CheckIssue[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_NAME.test(name)) {
      issues.push({ key: 'headers', message: `${JSON.stringify(name)} is not a header name` });
    } else if (FRAMING_HEADERS.has(name.toLowerCase())) {
      issues.push({ key: 'headers', message: `"${name}" is set by the connection itself` });
    } else if (!HEADER_VALUE.test(value)) {
      issues.push({
        key: 'headers',
        message: `the value of "${name}" has characters that no header may have`,
      });
    }
  }
  return issues;
}

/** `own` under names in lower case, overridden and extended by what the user wrote. */
export function mergeHeaders(
  own: Readonly<Record<string, string>>,
  configured: Readonly<Record<string, string>>,
): Record<string, string> {
  const merged: Record<string, string> = { ...own };
  for (const [name, value] of Object.entries(configured)) merged[name.toLowerCase()] = value;
  return merged;
}
