import type { ClientAuthenticator } from '../../component/auth.ts';
import {
  type ClientContext,
  type ContextSource,
  contextValues,
  NO_CLIENT_CONTEXT,
} from '../../component/client-context.ts';
import { PipelineError } from '../../component/errors.ts';
import { type HeaderRule, headerSource } from './config.ts';

interface Rule {
  readonly key: string;
  readonly action: HeaderRule['action'];
  /** What the header becomes, or where the client has nothing at `source`. */
  readonly value: string;
  readonly source: ContextSource | undefined;
}

/** What a header can carry: no line ends, which would begin another one. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Sets and deletes headers of what exporters send. Exporter workers. */
export class HeadersSetter implements ClientAuthenticator {
  readonly requiresTlsForGrpc = false;
  readonly #rules: readonly Rule[];

  constructor(rules: readonly HeaderRule[]) {
    this.#rules = rules.map((rule) => ({
      key: rule.key.toLowerCase(),
      action: rule.action,
      value: rule.value ?? rule.defaultValue ?? '',
      source: headerSource(rule),
    }));
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  apply(headers: Record<string, string>, client: ClientContext = NO_CLIENT_CONTEXT): void {
    for (const rule of this.#rules) {
      const { key, action } = rule;
      const isThere = Object.hasOwn(headers, key);
      if (action === 'delete') delete headers[key];
      else if (action === 'upsert' || (action === 'insert') !== isThere)
        headers[key] = headerValueOf(rule, client);
    }
  }
}

function headerValueOf({ key, value, source }: Rule, client: ClientContext): string {
  const values = source === undefined ? undefined : contextValues(client, source);
  if (values === undefined || values.length === 0) return value;
  // Sent again it would be refused again, so nobody is asked to wait for a better one. No message shows a value.
  if (values.length > 1)
    throw unusable(`${values.length} values of the client's request could become "${key}"`);
  // The names of binary headers end in -bin, and what sends them encodes their values.
  if (!key.endsWith('-bin') && !HEADER_VALUE.test(values[0]!)) {
    throw unusable(`a value of the client's request has characters that "${key}" cannot carry`);
  }
  return values[0]!;
}

function unusable(message: string): PipelineError {
  return new PipelineError('EXPORT_REJECTED', message, { permanent: true, isIndivisible: true });
}
