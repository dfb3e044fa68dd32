/** Fetches the scrape endpoint of an engine, or of a Collector. */
import { parseScrape, type Scrape } from './exposition.ts';

const FETCH_MS = 2_000;
/** Ten thousand series are about a megabyte. */
const SCRAPE_BYTES_MAX = 32 << 20;

export interface TimedScrape {
  scrape: Scrape;
  /** Monotonic, when the answer was there. */
  atMs: number;
}

/**
 * @param text `http://host:port[/path]`, `host:port` or `:port`; the path is `/metrics` unless given.
 * @returns undefined when it is none of them.
 */
export function parseEndpoint(text: string): URL | undefined {
  const written = text.startsWith(':') ? `127.0.0.1${text}` : text;
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(written) ? written : `http://${written}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  if (!['http:', 'https:'].includes(url.protocol) || url.hostname === '') return undefined;
  if (url.pathname === '/') url.pathname = '/metrics';
  return url;
}

/** @throws Error in words for the person who looks. */
export async function fetchScrape(url: URL, monotonicMs: () => number): Promise<TimedScrape> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { accept: 'text/plain;version=0.0.4' },
      signal: AbortSignal.timeout(FETCH_MS),
    });
  } catch (error) {
    const { cause, name, message } = error as Error;
    const reason = name === 'TimeoutError' ? `no answer in ${FETCH_MS / 1000} s` : causeOf(cause, message);
    throw new Error(`cannot reach ${url.href}: ${reason}`);
  }
  const text = await readBounded(response);
  if (!response.ok) throw new Error(`${url.href} answers ${response.status}`);
  const scrape = parseScrape(text);
  if (scrape.size === 0) throw new Error(`${url.href} answers without metrics`);
  return { scrape, atMs: monotonicMs() };
}

function causeOf(cause: unknown, message: string): string {
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : message;
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > SCRAPE_BYTES_MAX) break;
      chunks.push(chunk);
    }
  } catch {
    throw new Error(`${response.url} broke off its answer`);
  }
  if (sizeBytes > SCRAPE_BYTES_MAX) throw new Error(`${response.url} answers with more than 32 MiB`);
  return Buffer.concat(chunks).toString();
}
