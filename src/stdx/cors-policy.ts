/** Cross-origin rules for browsers (Fetch standard, CORS protocol). */

export interface CorsConfig {
  /** Exact origins, or with one `*` in them; `*` alone allows all. */
  allowedOrigins: readonly string[];
  /** Request headers beside the ones that a browser may always send, and Content-Type. */
  allowedHeaders: readonly string[];
  exposedHeaders: readonly string[];
  /** How long a browser may remember a preflight; 0: its own default. */
  maxAgeS: number;
}

type Header = readonly [string, string];

export class CorsPolicy {
  readonly #config: CorsConfig;
  readonly #methods: string;

  /** @param methods what a preflight may ask for. */
  constructor(config: CorsConfig, methods: readonly string[]) {
    this.#config = config;
    this.#methods = methods.join(', ');
  }

  /**
   * Headers for an answer to this origin; none when it is not allowed. Credentials go with origins that were
   * named, never with the `*` that stands for everybody.
   */
  responseHeaders(origin: string): readonly Header[] {
    if (!this.#isAllowed(origin)) return [];
    const headers: Header[] = this.#config.allowedOrigins.includes('*')
      ? [['access-control-allow-origin', '*']]
      : [
          ['access-control-allow-origin', origin],
          ['access-control-allow-credentials', 'true'],
          ['vary', 'origin'],
        ];
    const { exposedHeaders } = this.#config;
    if (exposedHeaders.length > 0) headers.push(['access-control-expose-headers', exposedHeaders.join(', ')]);
    return headers;
  }

  /** What a preflight is answered beside `responseHeaders`. */
  preflightHeaders(origin: string): readonly Header[] {
    if (!this.#isAllowed(origin)) return [];
    const allowedHeaders = ['content-type', 'content-encoding', ...this.#config.allowedHeaders];
    const headers: Header[] = [
      ['access-control-allow-methods', this.#methods],
      ['access-control-allow-headers', allowedHeaders.join(', ')],
    ];
    if (this.#config.maxAgeS > 0) headers.push(['access-control-max-age', String(this.#config.maxAgeS)]);
    return headers;
  }

  #isAllowed(origin: string): boolean {
    return this.#config.allowedOrigins.some((pattern) => matchesOrigin(pattern, origin.toLowerCase()));
  }
}

/** Compares without a regular expression: the pattern is the user's, the origin is anybody's. */
function matchesOrigin(pattern: string, origin: string): boolean {
  const lower = pattern.toLowerCase();
  const star = lower.indexOf('*');
  if (star < 0) return lower === origin;
  const prefix = lower.slice(0, star);
  const suffix = lower.slice(star + 1);
  return (
    origin.length >= prefix.length + suffix.length && origin.startsWith(prefix) && origin.endsWith(suffix)
  );
}
