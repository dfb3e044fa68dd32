/** The choice between one request and an upload in parts, by the beginning of an object. */

/** Memory of a head at first. */
const ROOM_BYTES = 512 << 10;
/** Kept while nobody uses them. */
const IDLE_MAX = 4;

/** Memory of heads, used again. */
export class HeadMemory {
  readonly #idle: Buffer[] = [];

  take(): Buffer {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(ROOM_BYTES);
  }

  give(room: Buffer): void {
    if (this.#idle.length < IDLE_MAX) this.#idle.push(room);
  }
}

/** The beginning of an object, a copy of up to `bytesMax`, and what comes behind it. */
export interface ObjectHead {
  bytes: Uint8Array;
  /** undefined: that was all. Otherwise the whole object again, beginning with `bytes`. */
  whole: AsyncIterable<Uint8Array> | undefined;
  /** Lets go of the source; call it in any case. */
  end(): void;
  /** Gives the memory of `bytes` back, when nobody reads it any more; without the call it is garbage. */
  reuse(): void;
}

/** @param source each piece may be overwritten when the next one is asked for. */
export async function readHead(
  source: AsyncIterable<Uint8Array>,
  bytesMax: number,
  memory: HeadMemory = new HeadMemory(),
): Promise<ObjectHead> {
  const iterator = source[Symbol.asyncIterator]();
  const end = () => void iterator.return?.().catch(() => undefined);
  let room = memory.take();
  let sizeBytes = 0;
  const head = (behind: Uint8Array | undefined): ObjectHead => {
    const bytes = room.subarray(0, sizeBytes);
    const whole = behind === undefined ? undefined : wholeObject(bytes, behind, iterator);
    return { bytes, whole, end, reuse: () => memory.give(room) };
  };
  for (;;) {
    const { done, value } = await iterator.next();
    if (done === true) return head(undefined);
    const needBytes = sizeBytes + value.byteLength;
    if (needBytes > bytesMax) return head(value);
    if (needBytes > room.byteLength) {
      const larger = Buffer.allocUnsafeSlow(Math.min(bytesMax, Math.max(needBytes, 2 * room.byteLength)));
      room.copy(larger, 0, 0, sizeBytes);
      room = larger;
    }
    room.set(value, sizeBytes);
    sizeBytes = needBytes;
  }
}

async function* wholeObject(
  head: Uint8Array,
  next: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (head.byteLength > 0) yield head;
  yield next;
  for (;;) {
    const { done, value } = await iterator.next();
    if (done === true) return;
    yield value;
  }
}
