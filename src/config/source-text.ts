/** What a `--config` value, or a reference such as `${file:PATH}`, stands for: text with the name that issues carry. */
import { closeSync, openSync, readSync } from 'node:fs';

export type Environment = Readonly<Record<string, string | undefined>>;

export const FILE_BYTES_MAX = 10 * 1024 * 1024;

/** A URI's scheme has two characters at least, so that a Windows drive is none. */
export const URI_SCHEME = /^([A-Za-z][A-Za-z0-9+.-]+):/;

export type SourceText = { file: string; text: string } | { file: string; error: string };

/** @param source a path, or a URI `file:PATH`, `env:NAME` or `yaml:TEXT`. Reads a file synchronously. */
export function readSource(source: string, environment: Environment): SourceText {
  const scheme = URI_SCHEME.exec(source)?.[1];
  const rest = scheme === undefined ? source : source.slice(scheme.length + 1);
  switch (scheme) {
    case undefined:
    case 'file':
      return readTextFile(rest);
    case 'yaml':
      return { file: 'yaml:', text: rest };
    case 'env': {
      const text = Object.hasOwn(environment, rest) ? environment[rest] : undefined;
      if (text === undefined) return { file: source, error: `environment variable "${rest}" is not set` };
      return { file: source, text };
    }
    case 'http':
    case 'https':
      return { file: `${scheme}:`, error: 'configuration over HTTP is not supported yet' };
    default:
      return { file: source, error: `unsupported scheme on URI "${source}"` };
  }
}

/** A whole UTF-8 file of at most `bytesMax` bytes, without its byte order mark. */
export function readTextFile(file: string, bytesMax: number = FILE_BYTES_MAX): SourceText {
  try {
    const bytes = readBounded(file, bytesMax);
    if (bytes === undefined) return { file, error: `larger than ${bytesMax} bytes` };
    return { file, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return { file, error: 'is not UTF-8 text' };
    if (code === 'ENOENT') return { file, error: 'no such file' };
    return { file, error: `cannot be read: ${(error as Error).message}` };
  }
}

/** Counts what it reads instead of asking for the size: pipes and devices have none. */
function readBounded(file: string, bytesMax: number): Uint8Array | undefined {
  const descriptor = openSync(file, 'r');
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const chunk = Buffer.alloc(64 * 1024);
      const count = readSync(descriptor, chunk);
      if (count === 0) return Buffer.concat(chunks, total);
      total += count;
      if (total > bytesMax) return undefined;
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    closeSync(descriptor);
  }
}
