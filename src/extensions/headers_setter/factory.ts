import { clientKeys } from '../../component/client-context.ts';
import type { Component } from '../../component/component.ts';
import type { ExtensionFactory } from '../../component/factory.ts';
import { type HeadersSetterConfig, headerSources, headersSetterConfigSchema } from './config.ts';

/** All of its work is done where requests are sent. */
const IDLE: Component = { start: async () => {}, shutdown: async () => {} };

export const headersSetterExtensionFactory: ExtensionFactory<HeadersSetterConfig> = {
  kind: 'extension',
  type: 'headers_setter',
  stability: 'beta',
  configSchema: headersSetterConfigSchema,
  create: () => IDLE,
  clientKeys: (config) => clientKeys(headerSources(config)),
  createClientAuth: async (_settings, { headers }) => {
    const { HeadersSetter } = await import('./headers-setter.ts');
    return new HeadersSetter(headers ?? []);
  },
};
