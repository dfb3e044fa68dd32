/**
 * `${env:NAME}`, `${NAME}`, `${env:NAME:-default}` and `$$` in values, by the Collector's rules, with one
 * difference: an escaped reference does not switch off the references behind it in the same text.
 */
import type { ConfigNode, SourceIssue } from './config-node.ts';
import { parseYaml } from './yaml-text.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of this process; the only place that reads them. */
export function processEnvironment(): Environment {
  return process.env;
}

/** Variables may hold references to variables, this deep. */
export const EXPANSION_DEPTH_MAX = 10;
/** References resolved for one value, those inside variables included. */
export const EXPANSIONS_MAX = 1000;
/** Characters that one value may grow to. */
export const EXPANDED_CHARACTERS_MAX = 1024 * 1024;

const VARIABLE_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]+):/;

interface Expanded {
  text: string;
  /** The text was one reference and nothing else: its YAML value counts, not only its characters. */
  isOneReference: boolean;
}

class ExpansionError extends Error {}

/**
 * Replaces every reference in the values of a tree; keys stay as they are. Never mutates the tree.
 *
 * @param warnings gets one entry for each variable that is not set and has no default.
 */
export function expandTree(
  root: ConfigNode,
  environment: Environment,
  issues: SourceIssue[],
  warnings: SourceIssue[],
): ConfigNode {
  const expandNode = (node: ConfigNode, path: readonly string[]): ConfigNode => {
    switch (node.kind) {
      case 'list':
        return {
          ...node,
          items: node.items.map((item, index) => expandNode(item, [...path, String(index)])),
        };
      case 'map': {
        const entries = Array.from(node.entries, ([key, entry]) => {
          return [key, { keyAt: entry.keyAt, node: expandNode(entry.node, [...path, key]) }] as const;
        });
        return { ...node, entries: new Map(entries) };
      }
      case 'scalar':
        break;
    }
    if (typeof node.value !== 'string' || !node.value.includes('$')) return node;
    const place = { ...node.at, path: path.join('::') };
    const expander = new Expander(environment, (message) => warnings.push({ ...place, message }));
    try {
      const expanded = expander.expand(node.value, []);
      if (expander.referenceCount === 0) return { ...node, value: expanded.text };
      const expansion = { text: expanded.text, reference: node.value };
      if (!expanded.isOneReference) return { ...node, value: expanded.text, expansion };
      return { ...typedNode(expanded.text, node), expansion };
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      issues.push({ ...place, message: error.message });
      return node;
    }
  };
  return expandNode(root, []);
}

/** The text's YAML value, all of it at the place of the reference; a text that is no YAML is a string. */
function typedNode(text: string, reference: ConfigNode): ConfigNode {
  const { root, issues } = parseYaml(reference.at.file, text);
  if (issues.length > 0) return { kind: 'scalar', value: text, at: reference.at };
  if (root === undefined) return { kind: 'scalar', value: null, at: reference.at };
  return moveTo(root, reference);
}

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

class Expander {
  referenceCount = 0;
  readonly #environment: Environment;
  readonly #warn: (message: string) => void;

  constructor(environment: Environment, warn: (message: string) => void) {
    this.#environment = environment;
    this.#warn = warn;
  }

  /**
   * One pass with a stack of open `${`: the innermost pair is resolved first, and an unclosed one is text.
   * A pair of dollars is one dollar, so an odd number before `{` leaves the reference as text.
   */
  expand(source: string, chain: readonly string[]): Expanded {
    const open: string[] = [];
    let text = '';
    let isOneReference = false;
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
        const resolved = this.#resolve(text, chain);
        isOneReference = open.length === 0 && before === '' && offset === source.length - 1;
        text = before + resolved;
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
    return { text, isOneReference: isOneReference && source.startsWith('${') };
  }

  #resolve(body: string, chain: readonly string[]): string {
    this.referenceCount += 1;
    if (this.referenceCount > EXPANSIONS_MAX) throw new ExpansionError('too many recursive expansions');
    const scheme = SCHEME.exec(body)?.[1];
    if (scheme !== undefined && scheme !== 'env') throw new ExpansionError(schemeMessage(scheme, body));
    const variable = scheme === undefined ? body : body.slice('env:'.length);
    const split = variable.indexOf(':-');
    const name = split < 0 ? variable : variable.slice(0, split);
    if (!VARIABLE_NAME.test(name)) {
      throw new ExpansionError(
        `environment variable ${JSON.stringify(name)} has invalid name: must match regex ${VARIABLE_NAME.source}`,
      );
    }
    if (chain.includes(name)) {
      const cycle = [...chain.slice(chain.indexOf(name)), name].map((each) => `\${env:${each}}`);
      throw new ExpansionError(`environment variables refer to each other in a cycle: ${cycle.join(' -> ')}`);
    }
    if (chain.length >= EXPANSION_DEPTH_MAX) {
      throw new ExpansionError(`too many recursive expansions: more than ${EXPANSION_DEPTH_MAX} levels`);
    }
    // hasOwn: a variable called `constructor` must not be found on a prototype.
    const value = Object.hasOwn(this.#environment, name) ? this.#environment[name] : undefined;
    if (value !== undefined) return this.expand(value, [...chain, name]).text;
    if (split >= 0) return variable.slice(split + 2);
    this.#warn(`environment variable "${name}" is not set`);
    return '';
  }
}

const KNOWN_SCHEMES = new Set(['file', 'yaml', 'http', 'https']);

function schemeMessage(scheme: string, body: string): string {
  if (KNOWN_SCHEMES.has(scheme)) return `\${${scheme}:...} is not supported yet; \${env:NAME} is`;
  const hint = body.startsWith(`${scheme}:-`) ? ` (write \${env:${scheme}:-...} for a default)` : '';
  return `unsupported scheme "${scheme}" in a reference${hint}`;
}
