/** What one open log may hold in memory. Apart from the files that use it, so that a sum needs no native module. */

/** Bytes of a writer that are not flushed yet; more is refused, so a stuck disk cannot fill the memory. */
export const PENDING_BYTES_MAX = 64 * 1024 * 1024;

/** Memory of flushed records that a writer keeps for the next ones. */
export const WRITER_POOL_BYTES_MAX = 32 * 1024 * 1024;

/** Memory of released records that a reader keeps for the next ones. */
export const READER_POOL_BYTES_MAX = 80 * 1024 * 1024;
