/** Checks the requests of one receiver with the authenticator that its configuration names. */
import { type AuthResult, findServerAuthenticator, type ServerAuthenticator } from '../../component/auth.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { AuthLimiter } from './auth-limiter.ts';
import type { CapturedClient } from './client-capture.ts';

/** Why a request is not let in. */
export interface AuthRefusal {
  reason: 'unauthenticated' | 'auth_limited' | 'unavailable';
  message: string;
  /** Value for WWW-Authenticate; '' when there is none. */
  challenge: string;
  /** How long the answer has to wait, in milliseconds. */
  delayMs: number;
}

/** undefined: the request may pass. */
export type AuthVerdict = AuthRefusal | undefined;

/** What an authenticator, and whoever keeps something of the client, may see of a request; valid only during the call that gets it. */
export interface AuthSource {
  /** Value of a header by its lower-case name, lines of one name joined; undefined when absent. */
  header(name: string): string | undefined;
  /** The value of each line of a name, one character for a byte; empty when absent. */
  values(name: string): readonly string[];
  address(): string;
}

export class AuthGate {
  readonly #settings: ComponentSettings;
  readonly #id: string;
  readonly #limiter: AuthLimiter;

  /** @throws PipelineError START_FAILED when there is no such authenticator. */
  constructor(settings: ComponentSettings, id: string, limiter: AuthLimiter) {
    this.#settings = settings;
    this.#id = id;
    this.#limiter = limiter;
    findServerAuthenticator(settings, id);
  }

  /**
   * Reads what it needs of the source at once, also when the verdict comes later. Never throws or rejects.
   * @param client gets what the authenticator knows of it, before the verdict that lets it in.
   */
  check(source: AuthSource, client?: CapturedClient): AuthVerdict | Promise<AuthVerdict> {
    const address = source.address();
    const nowMs = this.#settings.clock.monotonicMs();
    if (this.#limiter.isBlocked(address, nowMs)) {
      return refusal('auth_limited', 'Too many failed attempts to authenticate.');
    }
    const authenticator = this.#find();
    if (authenticator === undefined) return refusal('unavailable', 'The authenticator is being exchanged.');
    const headers = authenticator.headerNames.map((name) => source.header(name));
    const result = authenticator.authenticate(headers);
    const settle = (final: AuthResult): AuthVerdict => {
      if (final.isAllowed === true && client?.wantsAuth === true)
        client.authenticated(authenticator.attributes?.(headers) ?? {});
      return this.#verdict(final, address, authenticator);
    };
    return result instanceof Promise ? result.then(settle) : settle(result);
  }

  #verdict(result: AuthResult, address: string, { challenge }: ServerAuthenticator): AuthVerdict {
    if (result.isAllowed === true) return undefined;
    if (result.isAllowed === 'later') return refusal('unavailable', result.message);
    const delayMs = this.#limiter.failed(address, this.#settings.clock.monotonicMs());
    return { reason: 'unauthenticated', message: result.message, challenge, delayMs };
  }

  /** Looked up each time: a reload exchanges extensions under running receivers. */
  #find(): ServerAuthenticator | undefined {
    try {
      return findServerAuthenticator(this.#settings, this.#id);
    } catch (error) {
      if (error instanceof PipelineError) return undefined;
      throw error;
    }
  }
}

function refusal(reason: AuthRefusal['reason'], message: string): AuthRefusal {
  return { reason, message, challenge: '', delayMs: 0 };
}
