import type { Signal } from '../../component/signal.ts';
import { section, sections } from '../../config/field-kinds.ts';
import { defineConfig, mapShape } from '../../config/schema.ts';
import { type ActionConfig, actionShape } from '../helper/action-config.ts';
import { criteriaOf, type MatchCriteria, matchShape, signalIssues } from '../helper/match-config.ts';

export interface AttributesConfig {
  actions: ActionConfig[] | undefined;
  include: MatchCriteria | undefined;
  exclude: MatchCriteria | undefined;
}

const criteriaShape = mapShape(matchShape, criteriaOf);

export const attributesConfigSchema = defineConfig<AttributesConfig>(
  {
    include: section('include', criteriaShape, { optional: true, doc: 'Edit only items that match.' }),
    exclude: section('exclude', criteriaShape, { optional: true, doc: 'Leave items alone that match.' }),
    actions: sections('actions', actionShape, { doc: 'What to do, in this order.' }),
  },
  ({ actions = [] }) =>
    actions.length === 0 ? [{ key: 'actions', message: 'must have at least one action' }] : [],
);

/** Criteria that this signal cannot have. */
export function attributesSignalIssues(config: AttributesConfig, signal: Signal): string[] {
  return [
    ...signalIssues(config.include, 'include', signal),
    ...signalIssues(config.exclude, 'exclude', signal),
  ];
}
