/** From a `--config` value to a tree of expanded values with their places. Merging several comes on top. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { ConfigNode, SourceIssue } from './config-node.ts';
import { type Environment, expandTree } from './expand.ts';
import { parseYaml } from './yaml-text.ts';

export const FILE_BYTES_MAX = 10 * 1024 * 1024;

export interface LoadedConfig {
  /** Undefined when there are issues. */
  root: ConfigNode | undefined;
  issues: SourceIssue[];
  warnings: SourceIssue[];
}

/** @param source a path, or a URI `file:PATH`, `env:NAME` or `yaml:TEXT`. Reads the file synchronously. */
export function loadConfig(source: string, environment: Environment): LoadedConfig {
  const read = readSource(source, environment);
  if ('error' in read) return failed(read.file, read.error);
  return parseConfig(read.file, read.text, environment);
}

/** @param file name that issues carry. */
export function parseConfig(file: string, text: string, environment: Environment): LoadedConfig {
  const parsed = parseYaml(file, text);
  const warnings: SourceIssue[] = [];
  const { issues } = parsed;
  if (issues.length > 0) return { root: undefined, issues, warnings };
  if (parsed.root === undefined || (parsed.root.kind === 'scalar' && parsed.root.value === null)) {
    return failed(file, 'empty configuration file');
  }
  const root = expandTree(parsed.root, environment, issues, warnings);
  return { root: issues.length === 0 ? root : undefined, issues, warnings };
}

type ReadSource = { file: string; text: string } | { file: string; error: string };

function readSource(source: string, environment: Environment): ReadSource {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(source)?.[1];
  const rest = scheme === undefined ? source : source.slice(scheme.length + 1);
  switch (scheme) {
    case undefined:
    case 'file':
      return readFile(rest);
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

function readFile(file: string): ReadSource {
  try {
    const bytes = readBounded(file);
    if (bytes === undefined) return { file, error: `larger than ${FILE_BYTES_MAX} bytes` };
    return { file, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return { file, error: 'is not UTF-8 text' };
    if (code === 'ENOENT') return { file, error: 'no such file' };
    return { file, error: `cannot be read: ${(error as Error).message}` };
  }
}

/** Counts what it reads instead of asking for the size: pipes and devices have none. */
function readBounded(file: string): Uint8Array | undefined {
  const descriptor = openSync(file, 'r');
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const chunk = Buffer.alloc(64 * 1024);
      const count = readSync(descriptor, chunk);
      if (count === 0) return Buffer.concat(chunks, total);
      total += count;
      if (total > FILE_BYTES_MAX) return undefined;
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    closeSync(descriptor);
  }
}

function failed(file: string, message: string): LoadedConfig {
  return { root: undefined, issues: [{ file, line: 1, column: 1, path: '', message }], warnings: [] };
}
