/** The tokens in force: from the configuration, or from a file that is followed. */
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { WatchedFile } from '../../stdx/watched-file.ts';
import { type BearerTokenAuthConfig, isHeaderValue } from './config.ts';

export class TokenSource {
  readonly #settings: ComponentSettings;
  readonly #config: BearerTokenAuthConfig;
  readonly #file: WatchedFile | undefined;

  constructor(settings: ComponentSettings, config: BearerTokenAuthConfig) {
    this.#settings = settings;
    this.#config = config;
    this.#file = config.filename ? new WatchedFile(config.filename) : undefined;
  }

  /**
   * @param use gets the header values now and after every change, at least one.
   * @throws PipelineError START_FAILED when the file cannot be used; it names file and component.
   */
  async start(use: (headerValues: readonly string[]) => void): Promise<void> {
    const { id, logger } = this.#settings;
    const { token, tokens } = this.#config;
    if (this.#file === undefined) {
      use((token ? [token] : tokens).map((each) => this.#headerValue(each)));
      return;
    }
    const file = this.#file;
    const changed = (text: string) => use(this.#readTokens(text, file.path));
    try {
      changed(
        await file.start(
          (text) => {
            changed(text);
            logger.info('the token file was read again', { file: file.path });
          },
          (reason) => logger.error('the token file cannot be used; the old tokens stay', { reason }),
        ),
      );
    } catch (error) {
      file.stop();
      const message = `extension ${id}: filename: ${(error as Error).message}`;
      throw new PipelineError('START_FAILED', message, { permanent: true });
    }
  }

  stop(): void {
    this.#file?.stop();
  }

  #readTokens(text: string, path: string): string[] {
    const tokens = text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
    if (tokens.length === 0) throw new Error(`${path} holds no token`);
    if (!tokens.every(isHeaderValue)) {
      throw new Error(`${path} holds a token with characters that no header can carry`);
    }
    return tokens.map((token) => this.#headerValue(token));
  }

  #headerValue(token: string): string {
    const { scheme } = this.#config;
    return scheme === '' ? token : `${scheme} ${token}`;
  }
}
