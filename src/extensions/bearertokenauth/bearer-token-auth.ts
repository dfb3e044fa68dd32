/** Tokens in a header: asked of clients on the main thread, sent to backends in exporter workers. */
import type {
  AuthHeaders,
  AuthResult,
  ClientAuthenticator,
  ServerAuthenticator,
} from '../../component/auth.ts';
import type { Component } from '../../component/component.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { KeyedDigest } from '../../stdx/keyed-digest.ts';
import type { BearerTokenAuthConfig } from './config.ts';
import { TokenSource } from './token-source.ts';

const ALLOWED: AuthResult = { isAllowed: true };
const NOT_RUNNING: AuthResult = { isAllowed: 'later', message: 'The authenticator is not running.' };
const REFUSED: AuthResult = { isAllowed: false, message: 'missing or wrong credentials' };

export class BearerTokenServerAuth implements Component, ServerAuthenticator {
  readonly headerNames: readonly string[];
  readonly challenge: string;
  readonly #source: TokenSource;
  readonly #digest = new KeyedDigest();
  /** undefined while the extension does not run. */
  #allowed: readonly Buffer[] | undefined;

  constructor(settings: ComponentSettings, config: BearerTokenAuthConfig) {
    this.#source = new TokenSource(settings, config);
    this.headerNames = [config.header.toLowerCase()];
    // Any other header is no authentication that HTTP knows, so there is nothing to announce.
    this.challenge = this.headerNames[0] === 'authorization' ? config.scheme : '';
  }

  start(): Promise<void> {
    return this.#source.start((headerValues) => {
      this.#allowed = headerValues.map((value) => this.#digest.digest(value));
    });
  }

  async shutdown(): Promise<void> {
    this.#source.stop();
    this.#allowed = undefined;
  }

  /** The whole header value counts, scheme and letter case included. */
  authenticate([value]: AuthHeaders): AuthResult {
    // A client that is refused for good drops its data: it must not meet a list that is still being read.
    if (this.#allowed === undefined) return NOT_RUNNING;
    if (value === undefined) return REFUSED;
    return this.#digest.matchesAny(value, this.#allowed) ? ALLOWED : REFUSED;
  }

  /** `raw` is the whole value of the header. */
  attributes([value = '']: AuthHeaders): Readonly<Record<string, string>> {
    return { raw: value };
  }
}

export class BearerTokenClientAuth implements ClientAuthenticator {
  readonly requiresTlsForGrpc = true;
  readonly #source: TokenSource;
  readonly #header: string;
  #value = '';

  constructor(settings: ComponentSettings, config: BearerTokenAuthConfig) {
    this.#source = new TokenSource(settings, config);
    this.#header = config.header.toLowerCase();
  }

  start(): Promise<void> {
    return this.#source.start(([first]) => {
      this.#value = first!;
    });
  }

  async shutdown(): Promise<void> {
    this.#source.stop();
  }

  apply(headers: Record<string, string>): void {
    headers[this.#header] = this.#value;
  }
}
