/**
 * CRC-32 (IEEE 802.3, the one of gzip and PNG) by Node's native zlib; it exists from Node 20.15 on.
 * CRC-32C would need JavaScript or a native add-on: as a table loop it costs more than everything else a record needs.
 */
import { crc32 as nativeCrc32 } from 'node:zlib';

/**
 * Checksum of `bytes`, or of everything before them and `bytes` when `previous` is the checksum of what came before.
 * Reads the bytes during the call only; they may be a view over shared memory that nobody writes meanwhile.
 */
export function crc32(bytes: Uint8Array, previous = 0): number {
  return nativeCrc32(bytes, previous);
}
