import type { ClientAuthenticator } from '../../component/auth.ts';
import type { HeaderRule } from './config.ts';

/** Sets and deletes headers of what exporters send. Exporter workers. */
export class HeadersSetter implements ClientAuthenticator {
  readonly requiresTlsForGrpc = false;
  readonly #rules: readonly HeaderRule[];

  constructor(rules: readonly HeaderRule[]) {
    this.#rules = rules.map((rule) => ({ ...rule, key: rule.key.toLowerCase() }));
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  apply(headers: Record<string, string>): void {
    for (const { key, action, value = '' } of this.#rules) {
      const isThere = Object.hasOwn(headers, key);
      if (action === 'delete') delete headers[key];
      else if (action === 'upsert' || (action === 'insert') !== isThere) headers[key] = value;
    }
  }
}
