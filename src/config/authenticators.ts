/** Whether the authenticators that components name are there and made for their direction: told before any start. */
import type { AnyFactory } from '../component/factory.ts';
import { didYouMean } from '../stdx/nearest.ts';
import type { IssueList } from './issue-list.ts';
import type { Definitions } from './pipelines.ts';

const SECTIONS = { receiver: 'receivers', exporter: 'exporters', extension: 'extensions' } as const;
type Naming = keyof typeof SECTIONS;

/** @param started ids of `service::extensions`; undefined when that list could not be read. */
export function checkAuthenticators(
  definitions: Definitions,
  started: readonly string[] | undefined,
  issues: IssueList,
): void {
  for (const kind of Object.keys(SECTIONS) as Naming[]) {
    for (const { key, config, factory, isValid } of definitions[kind].values()) {
      if (!isValid || factory?.kind === undefined || !(factory.kind in SECTIONS)) continue;
      if (!('authenticators' in factory)) continue;
      for (const { path, id } of factory.authenticators?.(config) ?? []) {
        const problem = problemOf(id, kind, definitions, started);
        if (problem === undefined) continue;
        issues.add([SECTIONS[kind], key, ...path], `references extension "${id}" which ${problem}`);
      }
    }
  }
}

function problemOf(
  id: string,
  kind: Naming,
  definitions: Definitions,
  started: readonly string[] | undefined,
): string | undefined {
  const extension = definitions.extension.get(id);
  if (extension === undefined) return `is not configured${didYouMean(id, definitions.extension.keys())}`;
  const { factory } = extension;
  if (factory !== undefined && !canAuthenticate(factory, kind)) {
    return kind === 'exporter' ? 'is not a client authenticator' : 'is not a server authenticator';
  }
  if (started !== undefined && !started.includes(id)) return 'is not listed in service::extensions';
  return undefined;
}

function canAuthenticate(factory: AnyFactory, kind: Naming): boolean {
  if (factory.kind !== 'extension') return false;
  return kind === 'exporter'
    ? factory.createClientAuth !== undefined
    : factory.isServerAuthenticator === true;
}
