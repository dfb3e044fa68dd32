// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
/**
 * References in one text: `${env:NAME}`, `${NAME}`, `${env:NAME:-default}`, `${file:PATH}`, `${yaml:TEXT}` and
 * `$$`, by the Collector's rules, with one difference: an escaped reference does not switch off those behind it.
 */
import { type Environment, readTextFile, URI_SCHEME } from './source-text.ts';
import { countValues, VALUES_MAX } from './yaml-text.ts';

/** What a reference gives may hold references, this deep. */
export const EXPANSION_DEPTH_MAX = 10;
/** References resolved for one value, those inside variables included. */
export const EXPANSIONS_MAX = 1000;
/** Characters that one value may grow to, and bytes of a file that a reference names. */
export const EXPANDED_CHARACTERS_MAX = 1024 * 1024;
/** References, and characters that they give, in a whole configuration: what a small file can explode to. */
export const REFERENCES_MAX = 20_000;
export const REFERENCED_CHARACTERS_MAX = 16 * 1024 * 1024;

const VARIABLE_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** What a reference named, before references inside it are resolved. */
export interface Referenced {
  text: string;
  /** References that led here, itself included: one that occurs again is a cycle. */
  chain: readonly string[];
  /** Set when the text is a file's. */
  file: string | undefined;
}

/** A text in which every reference is replaced, or the one reference that it consists of. */
export type Expanded =
  | { text: string; whole?: undefined }
  | { text?: undefined; whole: Referenced }
  /** The default of the one reference: it was expanded with the text around it. */
  | { text: string; whole: 'default' };

export class ExpansionError extends Error {
  /** The bound of the whole configuration is reached: later values would say the same. */
  readonly isFinal: boolean;
  constructor(message: string, isFinal = false) {
    super(message);
    this.isFinal = isFinal;
  }
}

/** Counts over all values of a configuration; remembers the files that were read. */
export class ExpansionBudget {
  #references = 0;
  #characters = 0;
  #values = 0;
  readonly #files = new Map<string, string>();
  readonly #onFileRead: ((path: string) => void) | undefined;

  /** @param onFileRead told once of each file that a reference named and that could be read. */
  constructor(onFileRead?: (path: string) => void) {
    this.#onFileRead = onFileRead;
  }

  takeReference(): void {
    this.#references += 1;
    if (this.#references > REFERENCES_MAX) {
      throw new ExpansionError(`more than ${REFERENCES_MAX} references in the configuration`, true);
    }
  }

  takeText(text: string): string {
    this.#characters += text.length;
    this.#values += countValues(text);
    if (this.#values > VALUES_MAX) {
      throw new ExpansionError(`references give more than ${VALUES_MAX} lines and values`, true);
    }
    if (this.#characters > REFERENCED_CHARACTERS_MAX) {
      throw new ExpansionError(`references give more than ${REFERENCED_CHARACTERS_MAX} characters`, true);
    }
    return text;
  }

  /** One line end at the end is the editor's, not the value's: a token in a file would not be valid with it. */
  readFile(path: string): string {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const read = readTextFile(path, EXPANDED_CHARACTERS_MAX);
    if ('error' in read) throw new ExpansionError(`\${file:${path}}: ${read.error}`);
    const text = read.text.replace(/\r?\n$/, '');
    this.#files.set(path, text);
    this.#onFileRead?.(path);
    return text;
  }
}

/** Expands the texts of one value, whose references count together. */
export class TextExpander {
  referenceCount = 0;
  /** References to variables that are not set and have no default. */
  unsetCount = 0;
  readonly #environment: Environment;
  readonly #budget: ExpansionBudget;
  readonly #warn: (message: string) => void;

  constructor(environment: Environment, budget: ExpansionBudget, warn: (message: string) => void) {
    this.#environment = environment;
    this.#budget = budget;
    this.#warn = warn;
  }

  /** Every reference replaced by its text, those inside variables and files included. */
  textOf(source: string, chain: readonly string[]): string {
    const expanded = this.expand(source, chain);
    if (expanded.text !== undefined) return expanded.text;
    return this.textOf(expanded.whole.text, expanded.whole.chain);
  }

  /**
   * One pass with a stack of open `${`: the innermost pair is resolved first, and an unclosed one is text.
   * A pair of dollars is one dollar, so an odd number before `{` leaves the reference as text.
   */
  expand(source: string, chain: readonly string[]): Expanded {
    const open: string[] = [];
    let text = '';
    for (let offset = 0; offset < source.length; ) {
      const next = source.slice(offset, offset + 2);
      if (next === '$$') {
        text += '$';
        offset += 2;
      } else if (next === '${') {
        open.push(text);
        text = '';
        offset += 2;
      } else if (next[0] === '}' && open.length > 0) {
        const before = open.pop()!;
        const named = this.#lookUp(text, chain);
        const isLast = open.length === 0 && offset === source.length - 1;
        if (isLast && before === '' && source.startsWith('${')) {
          return typeof named === 'string' ? { text: named, whole: 'default' } : { whole: named };
        }
        text = before + (typeof named === 'string' ? named : this.textOf(named.text, named.chain));
        offset += 1;
      } else {
        const plain = /[^$}]*/y;
        plain.lastIndex = offset + 1;
        const run = source[offset]! + plain.exec(source)![0];
        text += run;
        offset += run.length;
      }
      if (text.length > EXPANDED_CHARACTERS_MAX)
        throw new ExpansionError('value is too long after expansion');
    }
    while (open.length > 0) text = `${open.pop()!}\${${text}`;
    return { text };
  }

  /** What stands between the braces; a string is a default, which is final. */
  #lookUp(body: string, chain: readonly string[]): Referenced | string {
    this.referenceCount += 1;
    this.#budget.takeReference();
    if (this.referenceCount > EXPANSIONS_MAX) throw new ExpansionError('too many recursive expansions');
    const scheme = URI_SCHEME.exec(body)?.[1];
    const rest = scheme === undefined ? body : body.slice(scheme.length + 1);
    switch (scheme) {
      case undefined:
      case 'env':
        return this.#variable(rest, chain);
      case 'file': {
        if (rest === '') throw new ExpansionError('${file:} names no file');
        const below = this.#enter(`file:${rest}`, chain);
        return { text: this.#budget.takeText(this.#budget.readFile(rest)), chain: below, file: rest };
      }
      case 'yaml': {
        const below = this.#enter(`yaml:${rest}`, chain);
        return { text: this.#budget.takeText(rest), chain: below, file: undefined };
      }
      default:
        throw new ExpansionError(schemeMessage(scheme, body));
    }
  }

  #variable(body: string, chain: readonly string[]): Referenced | string {
    const split = body.indexOf(':-');
    const name = split < 0 ? body : body.slice(0, split);
    if (!VARIABLE_NAME.test(name)) {
      const shown = JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}...` : name);
      const rule = `must match regex ${VARIABLE_NAME.source}`;
      throw new ExpansionError(`environment variable ${shown} has invalid name: ${rule}`);
    }
    const below = this.#enter(`env:${name}`, chain);
    // hasOwn: a variable called `constructor` must not be found on a prototype.
    const value = Object.hasOwn(this.#environment, name) ? this.#environment[name] : undefined;
    if (value !== undefined) return { text: this.#budget.takeText(value), chain: below, file: undefined };
    if (split >= 0) return body.slice(split + 2);
    this.unsetCount += 1;
    this.#warn(`environment variable "${name}" is not set`);
    return '';
  }

  #enter(reference: string, chain: readonly string[]): readonly string[] {
    const start = chain.indexOf(reference);
    if (start >= 0) {
      const cycle = [...chain.slice(start), reference].map(shownReference).join(' -> ');
      const isOnlyVariables = chain.slice(start).every((each) => each.startsWith('env:'));
      const subject = isOnlyVariables ? 'environment variables' : 'references';
      throw new ExpansionError(`${subject} refer to each other in a cycle: ${cycle}`);
    }
    if (chain.length >= EXPANSION_DEPTH_MAX) {
      throw new ExpansionError(`too many recursive expansions: more than ${EXPANSION_DEPTH_MAX} levels`);
    }
    return [...chain, reference];
  }
}

/** The text of `yaml:` may have come out of a variable, so it is not shown. */
function shownReference(reference: string): string {
  return reference.startsWith('yaml:') ? '${yaml:...}' : `\${${reference}}`;
}

function schemeMessage(scheme: string, body: string): string {
  if (scheme === 'http' || scheme === 'https') {
    return `\${${scheme}:...} is not supported yet; \${env:NAME}, \${file:PATH} and \${yaml:TEXT} are`;
  }
  const hint = body.startsWith(`${scheme}:-`) ? ` (write \${env:${scheme}:-...} for a default)` : '';
  return `unsupported scheme "${scheme}" in a reference${hint}`;
}
