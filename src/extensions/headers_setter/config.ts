import { oneOf, refused, secret, sections, string } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape } from '../../config/schema.ts';

export interface HeaderRule {
  key: string;
  action: 'insert' | 'update' | 'upsert' | 'delete';
  value: string | undefined;
}

export interface HeadersSetterConfig {
  headers: HeaderRule[] | undefined;
}

const NO_CONTEXT = 'is not supported: requests lose their metadata when they are written to the log';

const ruleShape = defineShape<HeaderRule>(
  {
    key: string('key', {
      required: true,
      pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
      patternHint: 'must be the name of a header',
      doc: 'Header to set or delete.',
    }),
    action: oneOf('action', {
      values: ['insert', 'update', 'upsert', 'delete'],
      default: 'upsert',
      doc: 'insert when it is missing, update when it is there, upsert in both cases, or delete.',
    }),
    value: secret('value', {
      pattern: /^[\t\x20-\x7e]*$/,
      patternHint: 'has characters that no header can carry',
      doc: 'What the header becomes.',
    }),
  },
  (rule) =>
    rule.action === 'delete' || rule.value !== undefined
      ? []
      : [{ key: 'value', message: `is required for the action ${rule.action}` }],
  [
    refused('from_context', NO_CONTEXT),
    refused('from_attribute', NO_CONTEXT),
    refused('default_value', 'is not supported: it belongs to from_context and from_attribute'),
  ],
);

export const headersSetterConfigSchema = defineConfig<HeadersSetterConfig>(
  { headers: sections('headers', ruleShape, { doc: 'Rules, applied in this order.' }) },
  ({ headers }): CheckIssue[] =>
    headers === undefined || headers.length === 0
      ? [{ key: 'headers', message: 'needs at least one rule' }]
      : [],
  [refused('additional_auth')],
);
