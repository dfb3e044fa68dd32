/**
 * Regular expressions of configurations: RE2 syntax and matching in linear time, so that no pattern and no input
 * can stall a worker. The only file that imports `re2js`, and it does so when the first pattern is compiled.
 */
import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { decodeUtf8 } from '../otlp/wire-reader.ts';

const load = createRequire(import.meta.url);

/** Of a longer text only this much is looked at: linear time over a body of megabytes is still seconds. */
export const REGEX_TEXT_BYTES_MAX = 64 * 1024;
/** Results are kept for texts up to this size, which names and routes are. */
const CACHED_TEXT_BYTES = 64;
const CACHE_SLOTS = 2048;

/** @throws Error with the text of the RE2 parser when the pattern is not valid. */
export function compileRegex(pattern: string): RE2JS {
  const { RE2JS: Compiler } = load('re2js') as typeof import('re2js');
  return Compiler.compile(pattern);
}

/** What is wrong with a pattern, or undefined. */
export function regexIssue(pattern: string): string | undefined {
  try {
    compileRegex(pattern);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Names of the groups of an expression by their number; a group without a name is undefined. */
export function groupNames(pattern: string): (string | undefined)[] {
  const regex = compileRegex(pattern);
  const names = new Array<string | undefined>(regex.groupCount()).fill(undefined);
  for (const [name, group] of Object.entries(regex.namedGroups())) names[group - 1] = name;
  return names;
}

/** End of the text as far as expressions look at it, never inside a character. */
export function regexTextEnd(bytes: Uint8Array, start: number, end: number): number {
  let cut = Math.min(end, start + REGEX_TEXT_BYTES_MAX);
  if (cut < end) while (cut > start && (bytes[cut]! & 0xc0) === 0x80) cut--;
  return cut;
}

/**
 * Expressions of which one has to be found somewhere in a text. Results for short texts are kept in a table of
 * fixed size, in which a newer text takes the place of an older one.
 */
export class RegexList {
  readonly #regexes: readonly RE2JS[];
  readonly #hashes = new Int32Array(CACHE_SLOTS);
  /** 0 for an empty slot, else size + 1. */
  readonly #sizes = new Uint8Array(CACHE_SLOTS);
  readonly #results = new Uint8Array(CACHE_SLOTS);
  readonly #texts = new Uint8Array(CACHE_SLOTS * CACHED_TEXT_BYTES);

  constructor(patterns: readonly string[]) {
    this.#regexes = patterns.map(compileRegex);
  }

  /** Whether one of them is found in UTF-8 bytes [start, end). */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const sizeBytes = end - start;
    if (sizeBytes > CACHED_TEXT_BYTES) {
      return this.matchesText(decodeUtf8(bytes, start, regexTextEnd(bytes, start, end)));
    }
    let hash = 0x811c9dc5 | 0;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (CACHE_SLOTS - 1);
    if (this.#holds(slot, hash, bytes, start, sizeBytes)) return this.#results[slot] === 1;
    const isMatch = this.matchesText(decodeUtf8(bytes, start, end));
    const textStart = slot * CACHED_TEXT_BYTES;
    for (let at = 0; at < sizeBytes; at++) this.#texts[textStart + at] = bytes[start + at]!;
    this.#hashes[slot] = hash;
    this.#sizes[slot] = sizeBytes + 1;
    this.#results[slot] = isMatch ? 1 : 0;
    return isMatch;
  }

  /** For texts that are made for the occasion, such as those of numbers. */
  matchesText(text: string): boolean {
    return this.#regexes.some((regex) => regex.test(text));
  }

  #holds(slot: number, hash: number, bytes: Uint8Array, start: number, sizeBytes: number): boolean {
    if (this.#hashes[slot] !== hash || this.#sizes[slot] !== sizeBytes + 1) return false;
    const textStart = slot * CACHED_TEXT_BYTES;
    for (let at = 0; at < sizeBytes; at++) {
      if (this.#texts[textStart + at] !== bytes[start + at]) return false;
    }
    return true;
  }
}
