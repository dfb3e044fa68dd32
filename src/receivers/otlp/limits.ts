/** Bounds that are not in the Collector's configuration. Each keeps one kind of hostile or broken client cheap. */

/** Bytes of incomplete bodies over all connections of one receiver. */
export const ASSEMBLY_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes of complete bodies that the engine has not answered; past it requests are refused retryably. */
export const IN_FLIGHT_BYTES_MAX = 256 * 1024 * 1024;
/** Connections of one listener; what comes on top is closed at once. */
export const CONNECTIONS_MAX = 10_000;
/** Our own deadline from the complete body to the answer; a client's shorter one wins. */
export const ANSWER_DEADLINE_MS = 30_000;
/** How often deadlines and connection ages are looked at: late answers may be late by this much. */
export const SWEEP_INTERVAL_MS = 250;
/** Wait hint of refusals that the receiver makes itself. */
export const RETRY_AFTER_MS = 1000;
/** Rest of a refused body that is read and thrown away so that the client sees the answer, not a reset. */
export const DISCARD_BYTES_MAX = 64 * 1024 * 1024;

/** HTTP/1: whole header block, header lines, slowest header, slowest request, idle keep-alive. */
export const HEADER_BYTES_MAX = 16 * 1024;
export const HEADER_COUNT_MAX = 64;
export const HEADERS_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the usual 60 s of a balancer, so that the balancer is the one that closes. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** HTTP/1 over TLS: requests of one connection that wait for their answers, and answers that it does not take. */
export const PIPELINED_REQUESTS_MAX = 16;
export const UNSENT_BYTES_MAX = 64 * 1024;
/** After the last answer a client may go on sending for this long: a close with unread bytes would undo the answer. */
export const LINGER_MS = 2000;

/** HTTP/2: windows wide enough that an upload never waits for a round trip. */
export const WINDOW_BYTES = 8 * 1024 * 1024;
export const STREAMS_MAX = 128;
export const SETTINGS_ENTRIES_MAX = 32;
/** Frames of SETTINGS within a minute; clients send one, and a few more as they widen their windows. */
export const SETTINGS_FRAMES_MAX = 32;
export const OUTSTANDING_PINGS_MAX = 10;
export const INVALID_FRAMES_MAX = 100;
export const REJECTED_STREAMS_MAX = 100;
export const RESET_BURST = 200;
export const RESET_RATE_PER_S = 33;
/** In the megabytes that node counts per session. */
export const SESSION_MEMORY_MB = 10;
/** Pings that may come too fast since the last answer before the session is closed. */
export const PING_STRIKES_MAX = 2;
/** A peer that takes nothing of an answer for this long is holding memory. */
export const SEND_STALL_MS = 30_000;

/** Connections of one address on one listener: a flood from one place leaves room for the others. */
export const CONNECTIONS_PER_ADDRESS_MAX = 1024;
export const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;
/** An upload slower than this after the grace time is ended: it would hold its memory and its slot for long. */
const BODY_RATE_BYTES_PER_S_MIN = 1024;
const BODY_RATE_GRACE_MS = 5000;

/** @param elapsedMs since the header of the request. */
export function isUploadTooSlow(receivedBytes: number, elapsedMs: number): boolean {
  const countedMs = elapsedMs - BODY_RATE_GRACE_MS;
  return countedMs > 0 && receivedBytes < (countedMs / 1000) * BODY_RATE_BYTES_PER_S_MIN;
}

/** Authentication: failures of one address that cost nothing, and what each one more costs. */
export const AUTH_FAILURES_FREE = 10;
export const AUTH_WINDOW_MS = 60_000;
export const AUTH_DELAY_MS = 1000;
/** Delayed answers that one address may wait for; past it its requests are refused unexamined. */
export const AUTH_DELAYED_MAX = 8;
export const AUTH_ADDRESSES_MAX = 1000;
