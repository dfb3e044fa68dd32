/** User and password that exporters send. Exporter workers. */
import type { ClientAuthenticator } from '../../component/auth.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { WatchedFile } from '../../stdx/watched-file.ts';
import type { ClientAuthConfig } from './config.ts';

export class BasicClientAuth implements ClientAuthenticator {
  readonly requiresTlsForGrpc = true;
  readonly #settings: ComponentSettings;
  readonly #files: WatchedFile[] = [];
  readonly #config: ClientAuthConfig;
  #username: string;
  #password: string;
  #value = '';

  constructor(settings: ComponentSettings, config: ClientAuthConfig) {
    this.#settings = settings;
    this.#config = config;
    this.#username = config.username ?? '';
    this.#password = config.password ?? '';
  }

  async start(): Promise<void> {
    const { usernameFile, passwordFile } = this.#config;
    try {
      if (usernameFile) {
        await this.#follow(usernameFile, (text) => {
          if (text.includes(':')) throw new Error(`${usernameFile} holds a user with a colon`);
          this.#username = text;
        });
      }
      if (passwordFile) {
        await this.#follow(passwordFile, (text) => {
          this.#password = text;
        });
      }
    } catch (error) {
      await this.shutdown();
      const message = `extension ${this.#settings.id}: client_auth: ${(error as Error).message}`;
      throw new PipelineError('START_FAILED', message, { permanent: true });
    }
    this.#encode();
  }

  async shutdown(): Promise<void> {
    for (const file of this.#files) file.stop();
  }

  apply(headers: Record<string, string>): void {
    headers.authorization = this.#value;
  }

  async #follow(path: string, use: (text: string) => void): Promise<void> {
    const file = new WatchedFile(path);
    this.#files.push(file);
    const changed = (text: string) => {
      // Editors end a file with a line break that belongs to nobody's password.
      const trimmed = text.replace(/[\r\n]+$/, '');
      if (trimmed === '') throw new Error(`${path} is empty`);
      use(trimmed);
      this.#encode();
    };
    const { logger } = this.#settings;
    changed(
      await file.start(changed, (reason) =>
        logger.error('a credential file cannot be used; the old credentials stay', { reason }),
      ),
    );
  }

  #encode(): void {
    this.#value = `Basic ${Buffer.from(`${this.#username}:${this.#password}`).toString('base64')}`;
  }
}
