/**
 * Keys of objects in the Collector's layout:
 * `[s3_base_prefix/][s3_prefix/]<partition>/<file_prefix><signal>_<unique>.<extension>[.gz|.zst]`. Where a batch becomes
 * several objects, the kind of each stands behind the signal: `metrics_gauge_<unique>.parquet`.
 *
 * Both parts that the Collector takes from the moment of the upload come from the batch here, so that an attempt after
 * midnight, or after a crash, writes the same object: the partition from the time when the oldest data of the batch
 * arrived, the unique part from the batch id.
 */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { ExportBatch } from '../../component/exporter.ts';
import type { Signal } from '../../component/signal.ts';
import { formatTime } from '../../s3/strftime.ts';
import { ZoneClock } from '../../s3/zoned-time.ts';

export interface KeySettings {
  exporterId: string;
  basePrefix: string;
  prefix: string;
  partitionFormat: string;
  timeZone: string;
  filePrefix: string;
  uniqueKey: '' | 'uuidv7';
  /** With the dot of compression: `json.gz`. */
  extension: string;
}

/** `<log id>.<incarnation>-<first>-<last>`, and what parts of a batch add. */
const BATCH_ID = /^(.+)-(\d+)-(\d+)([._].*)?$/s;
const LOG_HASH_CHARS = 16;
/** So that keys of one log sort in the order of their items. */
const ORDINAL_DIGITS = 12;

function digest(...texts: string[]): Buffer {
  return createHash('sha256').update(texts.join('\n')).digest();
}

/**
 * Unique for all logs and exporters, and in the order of the items within a log: sixteen digits that stand for the log
 * and the exporter, then the first and the last item.
 */
export function uniqueOfBatch(exporterId: string, batchId: string): string {
  const match = BATCH_ID.exec(batchId);
  if (match === null)
    return digest(exporterId, batchId)
      .toString('hex')
      .slice(0, 2 * LOG_HASH_CHARS);
  const [, log, first, last, part = ''] = match;
  // Two exporters may cut the same log at the same places and yet put other bytes into their objects.
  const hash = digest(exporterId, `${log}${part}`).toString('hex').slice(0, LOG_HASH_CHARS);
  return `${hash}-${first!.padStart(ORDINAL_DIGITS, '0')}-${last!.padStart(ORDINAL_DIGITS, '0')}`;
}

/** A UUID of version 7 (RFC 9562, 5.7) that the batch always has: its time, and a hash instead of random bits. */
export function uuidOfBatch(exporterId: string, batchId: string, unixMs: number): string {
  const bytes = digest(exporterId, batchId).subarray(0, 16);
  bytes.writeUIntBE(Math.max(Math.floor(unixMs), 0), 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export class ObjectKeys {
  readonly #settings: KeySettings;
  readonly #clock: ZoneClock;

  constructor(settings: KeySettings) {
    this.#settings = settings;
    this.#clock = new ZoneClock(settings.timeZone);
  }

  /** Everything before the name of the object, for a moment. Without a slash at either end. */
  folder(unixMs: number, prefix = this.#settings.prefix): string {
    const { basePrefix, partitionFormat } = this.#settings;
    const partition = formatTime(this.#clock.at(unixMs), partitionFormat);
    return posix.join(...[basePrefix, prefix, partition].filter((part) => part !== ''));
  }

  /** What every object of a signal begins with, within its folder. */
  namePrefix(signal: Signal): string {
    return `${this.#settings.filePrefix}${signal}_`;
  }

  /**
   * @param prefix instead of the configured one.
   * @param kind of the objects that a batch becomes; empty when there is one only.
   */
  key(batch: Pick<ExportBatch, 'signal' | 'batchId' | 'receivedUnixMs'>, prefix?: string, kind = ''): string {
    const { exporterId, uniqueKey, extension } = this.#settings;
    const { batchId, receivedUnixMs } = batch;
    const unique =
      uniqueKey === 'uuidv7'
        ? uuidOfBatch(exporterId, batchId, receivedUnixMs)
        : uniqueOfBatch(exporterId, batchId);
    const name = `${this.namePrefix(batch.signal)}${kind === '' ? '' : `${kind}_`}${unique}.${extension}`;
    return posix.join(this.folder(receivedUnixMs, prefix), name);
  }
}
