/** Server TLS of one listener: loads its files, keeps them fresh, and gives them to the server without a gap. */
import type { TlsOptions as NodeTlsOptions } from 'node:tls';
import { PipelineError } from '../../component/errors.ts';
import type { Logger } from '../../component/settings.ts';
import { TlsMaterial, TlsMaterialError, type TlsOptions } from '../../stdx/tls-material.ts';
import type { TlsServerSettings } from '../../stdx/tls-settings.ts';
import { TLS_HANDSHAKE_TIMEOUT_MS } from './limits.ts';

/** What `https.createServer` and `http2.createSecureServer` get. */
export type ServerTlsOptions = TlsOptions &
  Pick<NodeTlsOptions, 'requestCert' | 'rejectUnauthorized' | 'handshakeTimeout'>;

/** Both secure servers of node. New handshakes use the new context, open connections keep theirs. */
interface SecureServer {
  setSecureContext(options: TlsOptions): void;
}

export class ListenerTls {
  readonly #settings: TlsServerSettings;
  readonly #material: TlsMaterial;
  readonly #logger: Logger;
  #server: SecureServer | undefined;

  constructor(settings: TlsServerSettings, logger: Logger) {
    this.#settings = settings;
    this.#material = new TlsMaterial(settings);
    this.#logger = logger;
  }

  /** @throws PipelineError START_FAILED that names the key and the file. */
  async load(): Promise<ServerTlsOptions> {
    const asksClient = this.#settings.clientCaFile !== undefined;
    try {
      const options = await this.#material.start(
        (changed) => this.#use(changed),
        (error) =>
          this.#logger.error('the TLS files cannot be used; the old ones stay', { error: error.message }),
      );
      return {
        ...options,
        requestCert: asksClient,
        rejectUnauthorized: asksClient,
        handshakeTimeout: TLS_HANDSHAKE_TIMEOUT_MS,
      };
    } catch (error) {
      if (!(error instanceof TlsMaterialError)) throw error;
      throw new PipelineError('START_FAILED', `tls: ${error.message}`, { permanent: true, cause: error });
    }
  }

  /** From now on changed files go to this server. */
  attach(server: SecureServer): void {
    this.#server = server;
  }

  stop(): void {
    this.#material.stop();
    this.#server = undefined;
  }

  #use(options: TlsOptions): void {
    try {
      this.#server?.setSecureContext(options);
      this.#logger.info('the TLS files were read again');
    } catch {
      // The error's own text may quote the material.
      this.#logger.error('the TLS files cannot be used; the old ones stay');
    }
  }
}
