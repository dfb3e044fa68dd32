/** User and password of clients, against htpasswd. Main thread. */
import type { AuthHeaders, AuthResult, ServerAuthenticator } from '../../component/auth.ts';
import type { Component } from '../../component/component.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { WatchedFile } from '../../stdx/watched-file.ts';
import type { HtpasswdConfig } from './config.ts';
import { type PasswordEntry, parseHtpasswd } from './htpasswd.ts';
import { isSlow, matchesHash } from './password-hash.ts';
import { SlowChecker } from './slow-checker.ts';
import { VerdictCache } from './verdict-cache.ts';

const ALLOWED: AuthResult = { isAllowed: true };
const REFUSED: AuthResult = { isAllowed: false, message: 'missing or wrong credentials' };
const LATER: AuthResult = { isAllowed: 'later', message: 'Too many credentials are being checked.' };
const NOT_RUNNING: AuthResult = { isAllowed: 'later', message: 'The authenticator is not running.' };
const SCHEME = 'basic ';
/** Above the longest header block that reaches us there is nothing, but decoding needs a bound of its own. */
const CREDENTIALS_BYTES_MAX = 4096;

export class BasicServerAuth implements Component, ServerAuthenticator {
  readonly headerNames = ['authorization'];
  readonly challenge = 'Basic realm="millrace", charset="UTF-8"';
  readonly #settings: ComponentSettings;
  readonly #config: HtpasswdConfig;
  readonly #file: WatchedFile | undefined;
  readonly #cache = new VerdictCache();
  readonly #slow = new SlowChecker();
  /** undefined while the extension does not run. */
  #users: ReadonlyMap<string, PasswordEntry> | undefined;
  /** Checked for users who do not exist, so that they take as long as those who do. */
  #decoy: PasswordEntry | undefined;
  /** Counts up with every list of users: a verdict on an older list is not remembered. */
  #generation = 0;

  constructor(settings: ComponentSettings, config: HtpasswdConfig) {
    this.#settings = settings;
    this.#config = config;
    this.#file = config.file ? new WatchedFile(config.file) : undefined;
  }

  async start(): Promise<void> {
    const { id, logger } = this.#settings;
    try {
      const text = await this.#file?.start(
        (changed) => {
          this.#use(changed);
          logger.info('the htpasswd file was read again', { file: this.#file?.path });
        },
        (reason) => logger.error('the htpasswd file cannot be used; the old users stay', { reason }),
      );
      this.#use(text ?? '');
    } catch (error) {
      this.#file?.stop();
      const message = `extension ${id}: htpasswd: ${(error as Error).message}`;
      throw new PipelineError('START_FAILED', message, { permanent: true });
    }
  }

  async shutdown(): Promise<void> {
    this.#file?.stop();
    this.#users = undefined;
    this.#generation += 1;
    this.#cache.clear();
    await this.#slow.close();
  }

  authenticate([value]: AuthHeaders): AuthResult | Promise<AuthResult> {
    // A client that is refused for good drops its data: it must not meet a list that is still being read.
    if (this.#users === undefined) return NOT_RUNNING;
    const credentials = value === undefined ? undefined : decodeCredentials(value);
    if (credentials === undefined) return REFUSED;
    const key = this.#cache.keyOf(credentials);
    const known = this.#cache.get(key);
    if (known !== undefined) return known ? ALLOWED : REFUSED;
    const colon = credentials.indexOf(':');
    const entry = this.#users.get(credentials.slice(0, colon));
    const checked = entry ?? this.#decoy;
    if (checked === undefined) return REFUSED;
    const password = credentials.slice(colon + 1);
    if (!isSlow(checked.kind)) {
      return this.#settle(
        key,
        this.#generation,
        matchesHash(checked.kind, password, checked.hash) && entry !== undefined,
      );
    }
    if (this.#slow.isFull) return LATER;
    const generation = this.#generation;
    return this.#slow.check(password, checked).then((matches) => {
      return matches === undefined ? LATER : this.#settle(key, generation, matches && entry !== undefined);
    });
  }

  /** `raw` is what stands behind the scheme. */
  attributes([value = '']: AuthHeaders): Readonly<Record<string, string>> {
    const credentials = decodeCredentials(value) ?? '';
    const username = credentials.slice(0, credentials.indexOf(':'));
    // Texts of clients are kept as bytes.
    return {
      username: Buffer.from(username, 'utf8').toString('latin1'),
      raw: value.slice(SCHEME.length).trim(),
    };
  }

  #settle(key: string, generation: number, isRight: boolean): AuthResult {
    // A list exchanged meanwhile may have removed the user: neither remember nor let in.
    if (generation !== this.#generation) return LATER;
    this.#cache.set(key, isRight);
    return isRight ? ALLOWED : REFUSED;
  }

  #use(fileText: string): void {
    const users = parseHtpasswd(fileText, this.#file?.path ?? 'file');
    for (const [user, entry] of parseHtpasswd(this.#config.inline ?? '', 'inline')) users.set(user, entry);
    if (users.size === 0) throw new Error('there is no user');
    this.#users = users;
    this.#decoy = [...users.values()].find(({ kind }) => isSlow(kind)) ?? [...users.values()][0];
    this.#generation += 1;
    this.#cache.clear();
  }
}

/** `user:password` of a Basic header (RFC 7617); undefined when it is none. */
function decodeCredentials(value: string): string | undefined {
  if (value.length > CREDENTIALS_BYTES_MAX || value.slice(0, SCHEME.length).toLowerCase() !== SCHEME) {
    return undefined;
  }
  const encoded = value.slice(SCHEME.length).trim();
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const credentials = Buffer.from(encoded, 'base64').toString('utf8');
  return credentials.includes(':') ? credentials : undefined;
}
