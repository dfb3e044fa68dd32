/**
 * What the name of an archived object tells: which signal, which format, how it is compressed. Names are those of the
 * Collector's `awss3` exporter and of ours: `[file_prefix]<signal>_<unique>.<extension>[.gz|.zst]`; other names count
 * as far as they are understood, and the beginning of the object settles the rest.
 */
import { SIGNALS, type Signal } from '../component/signal.ts';

/** `json`: OTLP/JSON. `proto`: OTLP as protobuf. The others cannot be turned into requests again. */
export type ArchiveFormat = 'json' | 'proto' | 'body' | 'parquet' | 'manifest' | 'other';
export type ArchiveCompression = 'none' | 'gzip' | 'zstd';

export interface ArchiveName {
  /** undefined: the name does not say. */
  signal: Signal | undefined;
  /** undefined: the name does not say. */
  format: ArchiveFormat | undefined;
  compression: ArchiveCompression;
}

const COMPRESSION_OF: ReadonlyMap<string, ArchiveCompression> = new Map([
  ['gz', 'gzip'],
  ['gzip', 'gzip'],
  ['zst', 'zstd'],
  ['zstd', 'zstd'],
]);
const FORMAT_OF: ReadonlyMap<string, ArchiveFormat> = new Map([
  ['json', 'json'],
  ['jsonl', 'json'],
  ['ndjson', 'json'],
  ['binpb', 'proto'],
  ['pb', 'proto'],
  ['proto', 'proto'],
  ['protobuf', 'proto'],
  ['txt', 'body'],
  ['parquet', 'parquet'],
]);
/** Objects beside the data that say what is there. */
const MANIFEST = /^(_|manifest[-_.])/;

/** @param key of the object, with `/` between its folders. */
export function parseArchiveName(key: string): ArchiveName {
  const folders = key.split('/');
  const name = folders.pop()!.toLowerCase();
  const words = name.split('.');
  const compression = COMPRESSION_OF.get(words.at(-1)!) ?? 'none';
  const extension = words.at(compression === 'none' ? -1 : -2)!;
  if (MANIFEST.test(name)) return { signal: undefined, format: 'manifest', compression };
  return {
    signal: signalOf(name) ?? signalOfFolders(folders),
    format: words.length === 1 ? undefined : FORMAT_OF.get(extension),
    compression,
  };
}

/** The last of the words that names a signal: what stands before it is the user's `file_prefix`. */
function signalOf(name: string): Signal | undefined {
  const found = [...name.matchAll(/(traces|metrics|logs)(?=[_.-])/g)].at(-1)?.[1];
  return SIGNALS.find((signal) => signal === found);
}

function signalOfFolders(folders: readonly string[]): Signal | undefined {
  for (const folder of folders.toReversed()) {
    const value = folder.replace(/^signal=/, '');
    const found = SIGNALS.find((signal) => signal === value);
    if (found !== undefined) return found;
  }
  return undefined;
}
