import type { ContextSource } from '../../component/client-context.ts';
import { oneOf, refused, secret, sections, string } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape } from '../../config/schema.ts';

export interface HeaderRule {
  key: string;
  action: 'insert' | 'update' | 'upsert' | 'delete';
  value: string | undefined;
  fromContext: string | undefined;
  fromAttribute: string | undefined;
  defaultValue: string | undefined;
}

export interface HeadersSetterConfig {
  headers: HeaderRule[] | undefined;
}

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
    fromContext: string('from_context', {
      doc: 'Header of the client whose value it becomes; the receiver needs `include_metadata`.',
    }),
    fromAttribute: string('from_attribute', {
      doc: "Attribute of the client's authentication whose value it becomes, e.g. `username`; kept on disk with the data.",
    }),
    defaultValue: secret('default_value', {
      pattern: /^[\t\x20-\x7e]*$/,
      patternHint: 'has characters that no header can carry',
      doc: 'Used when the client has no such header or attribute; without it the header is empty then.',
    }),
  },
  checkRule,
);

function checkRule({ action, value, fromContext, fromAttribute, defaultValue }: HeaderRule): CheckIssue[] {
  const sourceCount = [value, fromContext, fromAttribute].filter((source) => source !== undefined).length;
  const issues: CheckIssue[] = [];
  if (action !== 'delete' && sourceCount === 0) {
    const message = `"value", "from_context" or "from_attribute" is required for the action ${action}`;
    issues.push({ key: '', message });
  }
  if (action !== 'delete' && sourceCount > 1) {
    const message = 'needs exactly one of "value", "from_context" and "from_attribute"';
    issues.push({ key: '', message });
  }
  if (defaultValue !== undefined && value !== undefined) {
    issues.push({ key: 'default_value', message: 'must not be given together with "value"' });
  }
  return issues;
}

/** What the rules read of clients. */
export function headerSources({ headers }: HeadersSetterConfig): ContextSource[] {
  return (headers ?? []).flatMap((rule) => headerSource(rule) ?? []);
}

export function headerSource({ action, fromContext, fromAttribute }: HeaderRule): ContextSource | undefined {
  if (action === 'delete') return undefined;
  if (fromAttribute !== undefined) return { kind: 'auth', name: fromAttribute };
  return fromContext === undefined ? undefined : { kind: 'metadata', name: fromContext.toLowerCase() };
}

export const headersSetterConfigSchema = defineConfig<HeadersSetterConfig>(
  { headers: sections('headers', ruleShape, { doc: 'Rules, applied in this order.' }) },
  ({ headers }): CheckIssue[] =>
    headers === undefined || headers.length === 0
      ? [{ key: 'headers', message: 'needs at least one rule' }]
      : [],
  [refused('additional_auth')],
);
