const NOTHING = new Uint8Array(0);
let lastBytes: Uint8Array = NOTHING;
let lastView: DataView = new DataView(NOTHING.buffer);

/**
 * DataView over the same bytes, for reading words at any offset. The last one is kept, so asking per value
 * costs a comparison as long as callers stay with one array.
 */
export function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== lastBytes) {
    lastBytes = bytes;
    lastView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return lastView;
}

/** Lets go of the last array, so that a batch is not held until the next one comes. */
export function releaseView(): void {
  viewOf(NOTHING);
}
