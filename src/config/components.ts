/** The sections `receivers`, `processors`, `exporters`, `connectors` and `extensions`. */
import { parseComponentId } from '../component/component-id.ts';
import type { AnyFactory, ComponentKind } from '../component/factory.ts';
import { didYouMean } from '../stdx/nearest.ts';
import { type ConfigNode, plainValue } from './config-node.ts';
import { describeValue, yamlValue } from './expanded-text.ts';
import type { IssueList } from './issue-list.ts';
import { isKnownType, kindsOfType, knownTypes, spellingOf } from './known-components.ts';

/** A component that the file defines; without `factory` or `config` it has issues, but it is defined. */
export interface DefinedComponent {
  id: string;
  /** Key as written: where to point. */
  key: string;
  factory: AnyFactory | undefined;
  config: unknown;
  isValid: boolean;
}

export const SECTION_OF_KIND: Readonly<Record<ComponentKind, string>> = {
  receiver: 'receivers',
  processor: 'processors',
  exporter: 'exporters',
  connector: 'connectors',
  extension: 'extensions',
};

export type DefinedComponents = ReadonlyMap<string, DefinedComponent>;

/** @param raw value of the section; @returns every defined id, with issues or without. */
export function readComponents(
  kind: ComponentKind,
  raw: unknown,
  factories: readonly AnyFactory[],
  issues: IssueList,
): DefinedComponents {
  const defined = new Map<string, DefinedComponent>();
  const section = SECTION_OF_KIND[kind];
  const map = yamlValue(raw) ?? {};
  if (typeof map !== 'object' || Array.isArray(map)) {
    issues.add([section], `expected a map of component ids, got ${describeValue(raw)}`);
    return defined;
  }
  for (const [key, value] of Object.entries(map)) {
    const id = parseComponentId(key);
    if ('error' in id) {
      issues.addKey([section], key, id.error);
      continue;
    }
    if (defined.has(id.id)) {
      issues.addKey([section], key, `duplicate name "${id.id}" after unmarshaling "${key}"`);
      continue;
    }
    const component: DefinedComponent = {
      id: id.id,
      key,
      factory: undefined,
      config: undefined,
      isValid: false,
    };
    defined.set(id.id, component);
    const found = findFactory(kind, id.type, id.id, factories);
    if ('error' in found) {
      issues.addKey([section], key, found.error);
      continue;
    }
    if (found.warning !== undefined) issues.warn([section, key], found.warning);
    const parsed = found.factory.configSchema.parse(value);
    issues.addParsed([section, key], parsed);
    component.factory = found.factory;
    component.config = parsed.value;
    component.isValid = parsed.value !== undefined;
  }
  return defined;
}

/** A component that a configuration names, in the spellings that its type has. */
export interface NamedComponent {
  kind: ComponentKind;
  types: readonly string[];
}

/** What the sections of a loaded tree name, right or wrong: keys that are no component ids are left out. */
export function namedComponents(root: ConfigNode | undefined): NamedComponent[] {
  const sections = membersOf(root === undefined ? undefined : plainValue(root));
  return (Object.keys(SECTION_OF_KIND) as ComponentKind[]).flatMap((kind) => {
    const ids = Object.keys(membersOf(sections[SECTION_OF_KIND[kind]])).map(parseComponentId);
    return ids.flatMap((id): NamedComponent[] => {
      if ('error' in id) return [];
      const { other } = spellingOf(kind, id.type);
      return [{ kind, types: other === undefined ? [id.type] : [id.type, other] }];
    });
  });
}

function membersOf(raw: unknown): Readonly<Record<string, unknown>> {
  const value = yamlValue(raw);
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMap ? (value as Readonly<Record<string, unknown>>) : {};
}

type Found = { factory: AnyFactory; warning: string | undefined } | { error: string };

/** The factory of a type under either of its names, or why there is none. */
export function findFactory(
  kind: ComponentKind,
  type: string,
  id: string,
  factories: readonly AnyFactory[],
): Found {
  const ofKind = factories.filter((factory) => factory.kind === kind);
  const { other, isOld } = spellingOf(kind, type);
  const factory = ofKind.find((each) => each.type === type) ?? ofKind.find((each) => each.type === other);
  if (factory !== undefined) {
    const warning = isOld ? `"${type}" alias is deprecated; use "${other}" instead` : undefined;
    return { factory, warning };
  }
  const types = ofKind.map((each) => each.type).toSorted();
  if (isKnownType(kind, type)) {
    return { error: `${kind} type "${type}" is not supported yet (supported: [${types.join(' ')}])` };
  }
  const values = `(valid values: [${types.join(' ')}])`;
  const message = `unknown type: "${type}" for id: "${id}" ${values}`;
  const elsewhere = kindsOfType(type).filter((each) => each !== kind);
  if (elsewhere.length > 0) return { error: `${message}; "${type}" is a type of ${elsewhere.join(' and ')}` };
  return { error: `${message}${didYouMean(type, [...types, ...knownTypes(kind)])}` };
}
