/** References in the values of a whole tree: what each gives, as text and as a YAML value. */
import type { ConfigNode, SourceIssue } from './config-node.ts';
import { ExpansionBudget, ExpansionError, type Referenced, TextExpander } from './expand-text.ts';
import type { Environment } from './source-text.ts';
import { parseYaml } from './yaml-text.ts';

/** The variables of this process; the only place that reads them. */
export function processEnvironment(): Environment {
  return process.env;
}

/**
 * Replaces every reference in the values of a tree; keys stay as they are. Never mutates the tree. A value that
 * cannot be expanded is an issue and null in the result.
 *
 * @param warnings gets one entry for each variable that is not set and has no default.
 * @param onFileRead told once of each file that a reference named and that could be read.
 */
export function expandTree(
  root: ConfigNode,
  environment: Environment,
  issues: SourceIssue[],
  warnings: SourceIssue[],
  onFileRead?: (path: string) => void,
): ConfigNode {
  const budget = new ExpansionBudget(onFileRead);
  return new TreeExpansion(environment, issues, warnings, budget).expand(root, [], []);
}

type Path = readonly string[];
type Chain = readonly string[];

/** A value of the file that holds references. */
interface Value {
  node: ConfigNode;
  path: Path;
  expander: TextExpander;
}

class TreeExpansion {
  readonly #environment: Environment;
  readonly #issues: SourceIssue[];
  readonly #warnings: SourceIssue[];
  readonly #budget: ExpansionBudget;
  #isOver = false;

  constructor(
    environment: Environment,
    issues: SourceIssue[],
    warnings: SourceIssue[],
    budget: ExpansionBudget,
  ) {
    this.#environment = environment;
    this.#issues = issues;
    this.#warnings = warnings;
    this.#budget = budget;
  }

  /** @param chain references that this part of the tree came out of. */
  expand(node: ConfigNode, path: Path, chain: Chain): ConfigNode {
    switch (node.kind) {
      case 'list': {
        const items = node.items.map((item, index) => this.expand(item, [...path, String(index)], chain));
        return { ...node, items };
      }
      case 'map': {
        const entries = Array.from(node.entries, ([key, entry]) => {
          return [key, { keyAt: entry.keyAt, node: this.expand(entry.node, [...path, key], chain) }] as const;
        });
        return { ...node, entries: new Map(entries) };
      }
      case 'scalar':
        break;
    }
    if (typeof node.value !== 'string' || !node.value.includes('$')) return node;
    const nothing: ConfigNode = { kind: 'scalar', value: null, at: node.at };
    if (this.#isOver) return nothing;
    const place = { ...node.at, path: path.join('::') };
    const warn = (message: string) => this.#warnings.push({ ...place, message });
    const expander = new TextExpander(this.#environment, this.#budget, warn);
    try {
      return this.#value(node.value, chain, { node, path, expander });
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      this.#isOver = error.isFinal;
      this.#issues.push({ ...place, message: error.message });
      return nothing;
    }
  }

  #value(source: string, chain: Chain, value: Value): ConfigNode {
    const { node, expander } = value;
    const { text, whole } = expander.expand(source, chain);
    if (whole !== undefined && whole !== 'default') return this.#named(whole, source, value);
    if (expander.referenceCount === 0) return textNode(text, node);
    if (whole === undefined) return withText(textNode(text, node), text, source);
    const typed = parseReferenced(node.at.file, text).node ?? textNode(text, node);
    const placed = withText(moveTo(typed, node), text, source);
    return expander.unsetCount === 0
      ? placed
      : { ...placed, expansion: { text, reference: source, isUnset: true } };
  }

  /** The value is one reference and nothing else: the YAML value of what it names counts, not only its characters. */
  #named(named: Referenced, reference: string, value: Value): ConfigNode {
    const { node } = value;
    const { node: typed, problem } = parseReferenced(named.file ?? node.at.file, named.text);
    if (typed === undefined || (typed.kind === 'scalar' && typeof typed.value === 'string')) {
      // A text's references are expanded in the characters as they are, quotes included.
      const inner = this.#value(named.text, named.chain, value);
      return withText(inner, inner.expansion?.text ?? '', reference, problem);
    }
    const text = this.#textOf(named);
    if (typed.kind === 'scalar') return withText(moveTo(typed, node), text, reference);
    // What is wrong inside a file is found there, not where the file is named.
    const placed = named.file === undefined ? moveTo(typed, node) : { ...typed, at: node.at };
    return withText(this.expand(placed, value.path, named.chain), text, reference);
  }

  /** The characters of a map, list or number: only keys that want a string read them, so they may not fail. */
  #textOf(named: Referenced): string {
    const expander = new TextExpander(this.#environment, this.#budget, () => {});
    try {
      return expander.textOf(named.text, named.chain);
    } catch (error) {
      if (error instanceof ExpansionError && !error.isFinal) return named.text;
      throw error;
    }
  }
}

function withText(node: ConfigNode, text: string, reference: string, problem?: string): ConfigNode {
  return { ...node, expansion: { text, reference, ...(problem === undefined ? {} : { problem }) } };
}

function textNode(text: string, { at }: ConfigNode): ConfigNode {
  return { kind: 'scalar', value: text, at };
}

/** @returns no node for a text that is no YAML, and for a file what is wrong with it. */
function parseReferenced(file: string, text: string): { node?: ConfigNode; problem?: string } {
  const { root, issues } = parseYaml(file, text);
  const first = issues[0];
  if (first !== undefined) return { problem: `${file}:${first.line}:${first.column}: ${first.message}` };
  return { node: root ?? { kind: 'scalar', value: null, at: { file, line: 1, column: 1 } } };
}

/** All of a value at the place of the reference that gave it. */
function moveTo(node: ConfigNode, { at }: ConfigNode): ConfigNode {
  switch (node.kind) {
    case 'scalar':
      return { ...node, at };
    case 'list':
      return { ...node, at, items: node.items.map((item) => moveTo(item, { ...item, at })) };
    case 'map': {
      const entries = Array.from(node.entries, ([key, entry]) => {
        return [key, { keyAt: at, node: moveTo(entry.node, { ...entry.node, at }) }] as const;
      });
      return { ...node, at, isFlow: true, entries: new Map(entries) };
    }
  }
}
