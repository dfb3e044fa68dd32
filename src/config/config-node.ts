/**
 * The tree between YAML text and configuration tables: plain values with the place where each was written.
 * Expansion and merging work on it, so an issue found at the end still names file, line and column.
 */
import { ExpandedText, type Expansion } from './expanded-text.ts';
import type { WrittenNumber } from './written-number.ts';

/** Levels of lists and maps; no Collector configuration comes near. */
export const NESTING_MAX = 100;

export interface Position {
  /** As the user named it: a path, or a URI such as `env:CONFIG`. */
  file: string;
  /** From 1. */
  line: number;
  /** From 1, in UTF-16 code units. */
  column: number;
}

export type ScalarValue = string | number | boolean | null;

interface NodeBase {
  at: Position;
  /** Set on what replaced a `${...}`: the text it gave, the reference as written, why a file's text is no YAML. */
  expansion?: Expansion;
}

export interface ScalarNode extends NodeBase {
  kind: 'scalar';
  value: ScalarValue;
  /** Set where the number alone does not say what was written. */
  written?: WrittenNumber;
}

export interface ListNode extends NodeBase {
  kind: 'list';
  items: ConfigNode[];
}

export interface MapEntry {
  keyAt: Position;
  node: ConfigNode;
}

export interface MapNode extends NodeBase {
  kind: 'map';
  /** A Map, because keys such as `__proto__` come from a file. */
  entries: Map<string, MapEntry>;
  /** Written in braces: such a map is pointed at by itself, a block map by its key. */
  isFlow: boolean;
}

export type ConfigNode = ScalarNode | ListNode | MapNode;

/** An issue or warning with its place. */
export interface SourceIssue extends Position {
  /** Path of keys with `::` between levels, as the Collector prints it; empty for the file as a whole. */
  path: string;
  message: string;
  /** The value at the path was read all the same, so what else is wrong with it is worth telling. */
  keepsValue?: boolean;
}

/** `config.yaml:12:5: exporters::clickhouse: unknown key "endpont"`. */
export function formatIssue(issue: SourceIssue): string {
  const path = issue.path === '' ? '' : `${issue.path}: `;
  return escapeControls(`${issue.file}:${issue.line}:${issue.column}: ${path}${issue.message}`);
}

/** One issue is one line of a terminal or log, whatever a file or variable holds. */
function escapeControls(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Plain data for the tables: own properties only, ExpandedText where a `${...}` was. */
export function plainValue(node: ConfigNode): unknown {
  const value = plainContent(node);
  if (node.expansion === undefined) return value;
  const { text, reference } = node.expansion;
  return new ExpandedText(value, text, reference, node.expansion);
}

function plainContent(node: ConfigNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.written ?? node.value;
    case 'list':
      return node.items.map(plainValue);
    case 'map':
      // fromEntries defines own properties: a key `__proto__` stays a key.
      return Object.fromEntries(Array.from(node.entries, ([key, entry]) => [key, plainValue(entry.node)]));
  }
}

/**
 * Place of a path: of the key for block maps, lists and what is named by its key, of the value otherwise.
 * Where the path leaves the tree, its deepest existing part is meant.
 */
export function locate(root: ConfigNode, path: readonly (string | number)[], key?: string): Position {
  let node = root;
  let at = root.at;
  for (const segment of key === undefined ? path : [...path, key]) {
    if (node.kind === 'map') {
      const entry = node.entries.get(String(segment));
      if (entry === undefined) return at;
      node = entry.node;
      at = pointsAtKey(node) ? entry.keyAt : node.at;
      if (key !== undefined && segment === key) at = entry.keyAt;
    } else if (node.kind === 'list') {
      const item = node.items[Number(segment)];
      if (item === undefined) return at;
      node = item;
      at = item.at;
    } else return at;
  }
  return at;
}

function pointsAtKey(node: ConfigNode): boolean {
  if (node.kind === 'scalar') return node.value === null;
  return node.kind === 'list' || !node.isFlow;
}
