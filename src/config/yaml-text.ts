/**
 * YAML text to a tree of nodes; the only file that knows the YAML library. Refused with line and column:
 * syntax errors, duplicate keys, custom tags, cyclic or exploding aliases, absurd nesting, several documents.
 */
import * as yaml from 'yaml';
import {
  type ConfigNode,
  type MapEntry,
  type MapNode,
  NESTING_MAX,
  type Position,
  type SourceIssue,
} from './config-node.ts';
import { WrittenNumber } from './written-number.ts';

/** Aliases in one text, and nodes that they may stand for together: what a few lines can otherwise explode to. */
export const ALIASES_MAX = 100;
export const ALIASED_NODES_MAX = 100_000;
/** Values of one text, and of all that references give: each costs a few microseconds and a kilobyte. */
export const VALUES_MAX = 250_000;
const SYNTAX_ISSUES_MAX = 20;
const WALK_ISSUES_MAX = 1000;

const PLAIN_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);

export interface YamlResult {
  /** Undefined when the text is empty or no YAML; with other issues it holds null where they are. */
  root: ConfigNode | undefined;
  issues: SourceIssue[];
}

/** @param file name that positions carry. */
export function parseYaml(file: string, text: string): YamlResult {
  const lines = new yaml.LineCounter();
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const issues: SourceIssue[] = [];
  if (countValues(text) > VALUES_MAX) {
    const message = `more than ${VALUES_MAX} lines and values`;
    return { root: undefined, issues: [{ file, line: 1, column: 1, path: '', message }] };
  }
  try {
    const document = yaml.parseDocument(text, {
      lineCounter: lines,
      version: '1.2',
      schema: 'core',
      stringKeys: true,
      resolveKnownTags: false,
      // The library compares every pair of keys; the walk below finds duplicates in one pass.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
    });
    const tooDeep = document.errors.find((error) => error.code === 'RESOURCE_EXHAUSTION');
    const errors = tooDeep === undefined ? document.errors.slice(0, SYNTAX_ISSUES_MAX) : [tooDeep];
    for (const error of errors) {
      issues.push({ ...positionAt(error.pos[0]), path: '', message: syntaxMessage(error) });
    }
    if (issues.length > 0 || document.contents === null) return { root: undefined, issues };
    const root = new TreeWalk(document, positionAt, issues).node(document.contents, []);
    return { root, issues };
  } catch (error) {
    // The library recurses: absurd nesting ends in the engine's stack limit instead of an error of its own.
    if (!(error instanceof RangeError)) throw error;
    return { root: undefined, issues: [{ file, line: 1, column: 1, path: '', message: nestingMessage }] };
  }
}

/** A bound of the values that a text can hold, without parsing it. */
export function countValues(text: string): number {
  let count = 1;
  for (let offset = 0; offset < text.length; offset += 1) {
    const code = text.charCodeAt(offset);
    if (code === LINE_FEED || code === COMMA || code === BRACKET || code === BRACE) count += 1;
  }
  return count;
}

const LINE_FEED = 0x0a;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACE = 0x7b;

/** Plain data as YAML that reads back to the same values, also by a loader that replaces `${...}`. */
export function printYaml(value: unknown): string {
  return yaml.stringify(withEscapes(value), { lineWidth: 0, aliasDuplicateObjects: false });
}

function withEscapes(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/\$(?=[${])/g, '$$$$');
  if (Array.isArray(value)) return value.map(withEscapes);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof WrittenNumber) return scalarOf(value);
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, withEscapes(below)]));
}

/** Reads back as the same kind of number. */
function scalarOf({ value, integer }: WrittenNumber): yaml.Scalar {
  const scalar = new yaml.Scalar<number | bigint>(integer ?? value);
  if (integer === undefined) scalar.minFractionDigits = 1;
  return scalar;
}

/** The Collector's parser takes a leading zero for an octal number, as YAML 1.1 did: `0750` are permissions. */
function readNumber(text: string, value: number): number {
  return /^[-+]?0[0-7]+$/.test(text)
    ? Math.sign(value) * Number.parseInt(text.replace(/^[-+]/, ''), 8)
    : value;
}

const nestingMessage = `lists and maps are nested too deeply (at most ${NESTING_MAX} levels)`;

function syntaxMessage(error: yaml.YAMLParseError): string {
  if (error.code === 'MULTIPLE_DOCS') return 'only one YAML document a file is read; remove the "---"';
  if (error.code === 'RESOURCE_EXHAUSTION') return nestingMessage;
  // What YAML trips over may be a password that begins with one of its signs: the place says enough.
  const message = error.message
    .replace(/(?<=\w): .*$/s, '')
    .replace(/(?<=\b(?:directive|so|The) ).*$/s, '...');
  return `YAML syntax: ${message}`;
}

class TreeWalk {
  readonly #document: yaml.Document;
  readonly #positionAt: (offset: number) => Position;
  readonly #issues: SourceIssue[];
  readonly #anchors = new Map<string, yaml.Node>();
  /** Anchored nodes that are being walked: an alias to one of them is a cycle. */
  readonly #open = new Set<yaml.Node>();
  #aliasCount = 0;
  #aliasDepth = 0;
  #aliasedNodeCount = 0;

  constructor(document: yaml.Document, positionAt: (offset: number) => Position, issues: SourceIssue[]) {
    this.#document = document;
    this.#positionAt = positionAt;
    this.#issues = issues;
  }

  node(source: unknown, path: readonly string[]): ConfigNode {
    const at = this.#at(source);
    if (path.length > NESTING_MAX) return this.#refuseOnce(at, path, nestingMessage);
    if (yaml.isAlias(source)) return this.#alias(source, path);
    if (this.#aliasDepth > 0 && !this.#mayCopyNode()) {
      return this.#refuseOnce(at, path, `aliases stand for more than ${ALIASED_NODES_MAX} values`);
    }
    if (!yaml.isNode(source)) return { kind: 'scalar', value: null, at };
    if (source.tag !== undefined && !PLAIN_TAGS.has(source.tag)) {
      return this.#refuse(at, path, 'YAML tags are not allowed (quote a text that begins with "!")');
    }
    if (yaml.isScalar(source)) return this.#scalar(source, at, path);
    if (source.anchor !== undefined) this.#anchors.set(source.anchor, source);
    this.#open.add(source);
    const node = yaml.isMap(source)
      ? this.#map(source, at, path)
      : this.#list(source as yaml.YAMLSeq, at, path);
    this.#open.delete(source);
    return node;
  }

  #scalar(source: yaml.Scalar, at: Position, path: readonly string[]): ConfigNode {
    if (source.anchor !== undefined) this.#anchors.set(source.anchor, source);
    const { value } = source;
    switch (typeof value) {
      case 'number': {
        const text = source.source ?? '';
        const number = WrittenNumber.of(readNumber(text, value), text);
        if (typeof number === 'number') return { kind: 'scalar', value: number, at };
        return { kind: 'scalar', value: number.value, written: number, at };
      }
      case 'string':
      case 'boolean':
        return { kind: 'scalar', value, at };
      default:
        if (value === null) return { kind: 'scalar', value, at };
        return this.#refuse(at, path, 'this YAML type is not read; write a string, number or boolean');
    }
  }

  #list(source: yaml.YAMLSeq, at: Position, path: readonly string[]): ConfigNode {
    const items = source.items.map((item, index) => this.node(item, [...path, String(index)]));
    return { kind: 'list', items, at };
  }

  #map(source: yaml.YAMLMap, at: Position, path: readonly string[]): ConfigNode {
    const entries = new Map<string, MapEntry>();
    const merged: MapNode[] = [];
    for (const pair of source.items) {
      const key = yaml.isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
      const keyAt = this.#at(pair.key);
      // A missing value has no node of its own: it is where its key is.
      const node = pair.value === null ? nullAt(keyAt) : this.node(pair.value, [...path, key]);
      if (key === '<<') this.#collectMerged(node, keyAt, path, merged);
      else if (entries.has(key)) this.#refuse(keyAt, path, `duplicate key "${key}"`, true);
      else entries.set(key, { keyAt, node });
    }
    // The map's own keys win over merged ones, earlier merged maps over later ones.
    for (const map of merged) {
      for (const [key, entry] of map.entries) if (!entries.has(key)) entries.set(key, entry);
    }
    return { kind: 'map', entries, at, isFlow: source.flow === true };
  }

  #collectMerged(node: ConfigNode, keyAt: Position, path: readonly string[], merged: MapNode[]): void {
    for (const item of node.kind === 'list' ? node.items : [node]) {
      if (item.kind === 'map') merged.push(item);
      else this.#refuse(keyAt, path, '"<<" merges maps only', true);
    }
  }

  #alias(source: yaml.Alias, path: readonly string[]): ConfigNode {
    const at = this.#at(source);
    this.#aliasCount += 1;
    if (this.#aliasCount === ALIASES_MAX + 1) {
      return this.#refuse(at, path, `more than ${ALIASES_MAX} YAML aliases`);
    }
    if (this.#aliasCount > ALIASES_MAX) return nullAt(at);
    const target = this.#anchors.get(source.source);
    if (target === undefined) {
      const message = 'an alias has no anchor before it (quote a text that begins with "*")';
      return this.#refuse(at, path, message);
    }
    if (this.#open.has(target)) {
      return this.#refuse(at, path, `alias "*${source.source}" contains itself`);
    }
    this.#aliasDepth += 1;
    const node = this.node(target, path);
    this.#aliasDepth -= 1;
    return node;
  }

  #mayCopyNode(): boolean {
    this.#aliasedNodeCount += 1;
    return this.#aliasedNodeCount <= ALIASED_NODES_MAX;
  }

  /** One bomb would otherwise give one issue for each of its nodes. */
  #refuseOnce(at: Position, path: readonly string[], message: string): ConfigNode {
    return this.#issues.some((issue) => issue.message === message)
      ? nullAt(at)
      : this.#refuse(at, path, message);
  }

  #refuse(at: Position, path: readonly string[], message: string, keepsValue = false): ConfigNode {
    if (this.#issues.length < WALK_ISSUES_MAX) {
      this.#issues.push({ ...at, path: path.slice(0, NESTING_MAX).join('::'), message, keepsValue });
    }
    return nullAt(at);
  }

  #at(source: unknown): Position {
    const node = yaml.isNode(source) ? source : this.#document.contents;
    return this.#positionAt(node?.range?.[0] ?? 0);
  }
}

function nullAt(at: Position): ConfigNode {
  return { kind: 'scalar', value: null, at };
}
