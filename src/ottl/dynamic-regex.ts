/** Expressions whose pattern may come from the items: compiled once each, as long as there are few. */
import type { RE2JS } from 're2js';
import { EvaluationError } from './errors.ts';
import { compileRegex, REGEX_TEXT_BYTES_MAX, regexTextEnd } from './regex.ts';

const COMPILED_MAX = 256;
const KEPT_PATTERN_MAX = 4096;
const compiled = new Map<string, RE2JS>();
const UTF8 = new TextEncoder();

/** @throws EvaluationError when the pattern is not valid. */
export function regexOf(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  let regex: RE2JS;
  try {
    regex = compileRegex(pattern);
  } catch (error) {
    throw new EvaluationError((error as Error).message);
  }
  // Patterns from data would otherwise stay for ever.
  if (compiled.size === COMPILED_MAX) compiled.clear();
  if (pattern.length <= KEPT_PATTERN_MAX) compiled.set(pattern, regex);
  return regex;
}

/** Whether it is found somewhere in the part of the text that expressions look at. */
export function matchesRegex(pattern: string, text: string): boolean {
  return regexOf(pattern).test(regexText(text));
}

/** The part of a text that expressions look at. */
export function regexText(text: string): string {
  // A UTF-16 unit is at most three bytes of UTF-8, so that short texts need no look.
  if (text.length * 3 <= REGEX_TEXT_BYTES_MAX) return text;
  const utf8 = UTF8.encode(text);
  const end = regexTextEnd(utf8, 0, utf8.length);
  return end === utf8.length ? text : new TextDecoder().decode(utf8.subarray(0, end));
}

/** What is wrong with a pattern, or undefined; whatever is no text is none. */
export function patternIssue(pattern: unknown): string | undefined {
  if (typeof pattern !== 'string') return undefined;
  try {
    regexOf(pattern);
    return undefined;
  } catch (error) {
    return (error as EvaluationError).message;
  }
}
