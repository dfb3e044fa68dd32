import type { Component } from '../../component/component.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ExtensionFactory } from '../../component/factory.ts';
import { type BasicAuthConfig, basicAuthConfigSchema } from './config.ts';

/** On the main thread there is nothing to do for credentials that exporters send. */
const IDLE: Component = { start: async () => {}, shutdown: async () => {} };

export const basicAuthExtensionFactory: ExtensionFactory<BasicAuthConfig> = {
  kind: 'extension',
  type: 'basicauth',
  stability: 'beta',
  isServerAuthenticator: true,
  configSchema: basicAuthConfigSchema,
  create: async (settings, { htpasswd }) => {
    if (htpasswd === undefined) return IDLE;
    const { BasicServerAuth } = await import('./basic-server-auth.ts');
    return new BasicServerAuth(settings, htpasswd);
  },
  createClientAuth: async (settings, { clientAuth }) => {
    if (clientAuth === undefined) {
      const message = `extension ${settings.id} has no client_auth, so no exporter can use it`;
      throw new PipelineError('START_FAILED', message, { permanent: true });
    }
    const { BasicClientAuth } = await import('./basic-client-auth.ts');
    return new BasicClientAuth(settings, clientAuth);
  },
};
