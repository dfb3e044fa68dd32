/**
 * Charsets by the names that the Collector takes: IANA's, and some of its own. TextDecoder knows most of them; those
 * that it reads as something else, as browsers do, are handled here.
 */

import { windows1252Text } from '../stdx/windows-1252.ts';
import { utf16Text } from './utf-16.ts';

/** Text of bytes. `bytes`: they are taken as the string that they claim to be, valid or not. */
export type Charset = ((bytes: Uint8Array) => string) | 'bytes';

const ALIASES: Readonly<Record<string, string>> = {
  '': 'utf-8',
  ascii: 'utf-8',
  'us-ascii': 'utf-8',
  utf8: 'utf-8',
  // The Collector's choice for a name that leaves the byte order open.
  utf16: 'utf-16le',
  'utf-16': 'utf-16le',
};
const UNDECODED = new Set(['nop', 'utf-8-raw', 'utf8-raw']);
const LATIN1 = new Set(['iso-8859-1', 'iso_8859-1', 'iso8859-1', 'latin1', 'l1', 'ibm819', 'cp819']);
const LATIN1_CHUNK = 8192;

/** @returns undefined for a name that neither the Collector nor TextDecoder knows. */
export function findCharset(name: string): Charset | undefined {
  const lower = name.toLowerCase();
  if (UNDECODED.has(lower)) return 'bytes';
  // TextDecoder takes Latin-1 for Windows-1252, whose 0x80 to 0x9f are letters.
  if (LATIN1.has(lower)) return latin1Text;
  try {
    const decoder = new TextDecoder(ALIASES[lower] ?? lower, { ignoreBOM: true });
    if (decoder.encoding === 'windows-1252') return windows1252Text;
    if (decoder.encoding === 'utf-16le') return (bytes) => utf16Text(bytes, true);
    if (decoder.encoding === 'utf-16be') return (bytes) => utf16Text(bytes, false);
    return (bytes) => decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function latin1Text(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += LATIN1_CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + LATIN1_CHUNK));
  }
  return text;
}
