/** Finds the context that conditions without one are about, by the prefixes of their paths. */
import { CONVERTERS } from './converters/catalogue.ts';
import type { Converters } from './converters/converter.ts';
import { ENUMS } from './enums.ts';
import type { OttlContext } from './fields.ts';
import { contextOfPrefix, REACHES } from './paths.ts';
import type { BooleanNode, KeyNode, ValueNode } from './syntax.ts';

/** The lowest one first: what is below sees what is above. */
const PRIORITY: readonly OttlContext[] = [
  ...(['log', 'datapoint', 'metric', 'spanevent', 'span', 'scope', 'resource'] as const),
];

interface Names {
  readonly contexts: Set<OttlContext>;
  readonly converters: Set<string>;
  readonly enums: Set<string>;
}

/**
 * @param nodes of all conditions that share a context.
 * @param converters of the component, beside those of the language.
 * @returns undefined when no context reaches every path and knows every name.
 */
export function inferContext(
  nodes: readonly BooleanNode[],
  converters: Converters = {},
): OttlContext | undefined {
  const names: Names = { contexts: new Set(), converters: new Set(), enums: new Set() };
  for (const node of nodes) collect(node, names);
  const lowest = PRIORITY.find((context) => names.contexts.has(context));
  if (lowest === undefined) return undefined;
  const all = { ...CONVERTERS, ...converters };
  const knows = (context: OttlContext) =>
    [...names.contexts].every((each) => REACHES[context].includes(each)) &&
    [...names.enums].every((name) => ENUMS[context].has(name)) &&
    [...names.converters].every(
      (name) => !Object.hasOwn(all, name) || (all[name]!.contexts?.includes(context) ?? true),
    );
  if (knows(lowest)) return lowest;
  // Below it may be one that reaches the same paths and knows more names.
  const below = PRIORITY.filter((context) => context !== lowest && REACHES[context].includes(lowest));
  return below.toReversed().find(knows);
}

function collect(node: BooleanNode, names: Names): void {
  switch (node.form) {
    case 'comparison':
      collectValue(node.left, names);
      collectValue(node.right, names);
      return;
    case 'test':
      collectValue(node.call, names);
      return;
    case 'not':
      collect(node.operand, names);
      return;
    case 'and':
    case 'or':
      for (const operand of node.operands) collect(operand, names);
  }
}

function collectValue(node: ValueNode | { readonly form: 'function' }, names: Names): void {
  const collectKeys = (keys: readonly KeyNode[]) => {
    for (const key of keys) collectValue(key, names);
  };
  switch (node.form) {
    case 'path': {
      const context = node.fields.length > 1 ? contextOfPrefix(node.fields[0]!.name) : undefined;
      if (context !== undefined) names.contexts.add(context);
      for (const { keys } of node.fields) collectKeys(keys);
      return;
    }
    case 'call':
      names.converters.add(node.name);
      for (const { value } of node.args) collectValue(value, names);
      collectKeys(node.keys);
      return;
    case 'enum':
      names.enums.add(node.name);
      return;
    case 'math':
      collectValue(node.left, names);
      collectValue(node.right, names);
      return;
    case 'negate':
      collectValue(node.operand, names);
      return;
    case 'list':
      for (const item of node.items) collectValue(item, names);
      return;
    case 'map':
      for (const { value } of node.entries) collectValue(value, names);
  }
}
