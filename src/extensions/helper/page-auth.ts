/** Lets requests in by the authenticator that the configuration names. */
import { type AuthResult, findServerAuthenticator, type ServerAuthenticator } from '../../component/auth.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';

/** What a refused request waits for its answer: with few connections guessing stays slow. */
const GUESS_DELAY_MS = 500;

export type PageVerdict =
  | { isAllowed: true }
  | { isAllowed: false; status: 401 | 503; message: string; challenge: string };

export class PageAuth {
  readonly #settings: ComponentSettings;
  readonly #id: string;

  /** The authenticator is looked up for each request: it may start later, and a reload exchanges it. */
  constructor(settings: ComponentSettings, id: string) {
    this.#settings = settings;
    this.#id = id;
  }

  /** @param header value of a header by its lower-case name, lines of one name joined. Never rejects. */
  async check(header: (name: string) => string | undefined): Promise<PageVerdict> {
    const authenticator = this.#find();
    if (authenticator === undefined) return later('The authenticator is not running.');
    const result: AuthResult = await authenticator.authenticate(authenticator.headerNames.map(header));
    if (result.isAllowed === true) return { isAllowed: true };
    if (result.isAllowed === 'later') return later(result.message);
    await new Promise((resolve) => setTimeout(resolve, GUESS_DELAY_MS));
    return { isAllowed: false, status: 401, message: result.message, challenge: authenticator.challenge };
  }

  #find(): ServerAuthenticator | undefined {
    try {
      return findServerAuthenticator(this.#settings, this.#id);
    } catch (error) {
      if (error instanceof PipelineError) return undefined;
      throw error;
    }
  }
}

function later(message: string): PageVerdict {
  return { isAllowed: false, status: 503, message, challenge: '' };
}
