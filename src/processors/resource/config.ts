import { sections } from '../../config/field-kinds.ts';
import { defineConfig } from '../../config/schema.ts';
import { type ActionConfig, actionShape } from '../helper/action-config.ts';

export interface ResourceConfig {
  attributes: ActionConfig[] | undefined;
}

export const resourceConfigSchema = defineConfig<ResourceConfig>(
  {
    attributes: sections('attributes', actionShape, {
      doc: 'What to do with attributes of resources, in this order.',
    }),
  },
  ({ attributes = [] }) =>
    attributes.length === 0 ? [{ key: 'attributes', message: 'must have at least one action' }] : [],
);
