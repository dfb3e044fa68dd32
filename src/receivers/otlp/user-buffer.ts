/**
 * Reads a socket into one buffer that is used again and again. Node offers that (`onread`) only to sockets that
 * it connects itself; accepted ones, and all of TLS on top of them, get a fresh buffer for each read, which over
 * TLS is each record of 16 KiB: the garbage collector then takes more time than decryption.
 *
 * The switch of a socket that already exists are fields which node does not name to the outside. They are found by
 * what they hold on a socket that was made with `onread`. Where that fails, in a Node to come, reading goes on with
 * ordinary `data` events.
 */
import { Socket } from 'node:net';

type AnyFields = Record<PropertyKey, unknown>;

interface ReadFields {
  buffer: symbol;
  callback: symbol;
}

interface BufferedHandle {
  useUserBuffer(buffer: Uint8Array): void;
}

function findFields(): ReadFields | undefined {
  const buffer = Buffer.alloc(1);
  const callback = (): boolean => true;
  const probe = new Socket({ onread: { buffer, callback } } as object);
  const fields = probe as unknown as AnyFields;
  const keyOf = (value: unknown): symbol | undefined =>
    Object.getOwnPropertySymbols(probe).find((key) => fields[key] === value);
  const [bufferKey, callbackKey] = [keyOf(buffer), keyOf(callback)];
  probe.destroy();
  if (bufferKey === undefined || callbackKey === undefined) return undefined;
  return { buffer: bufferKey, callback: callbackKey };
}

const FIELDS = findFields();

/** False where this Node version gives every read its own buffer; for tests and the log. */
export const HAS_USER_BUFFER = FIELDS !== undefined;

function bufferedHandle(socket: Socket): BufferedHandle | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: Partial<BufferedHandle> | null };
  return typeof handle?.useUserBuffer === 'function' ? (handle as BufferedHandle) : undefined;
}

/**
 * Hands everything that the socket reads to `read`, from now on. Call it in the event that brought the socket.
 *
 * @param buffer may be shared by all sockets of the thread: it is filled and handed over within one call.
 * @param read its bytes are valid until it returns. It may also be called once or twice after `socket.pause()`.
 */
export function readInto(socket: Socket, buffer: Buffer, read: (bytes: Buffer) => void): void {
  const fields = socket as unknown as AnyFields;
  const handle = bufferedHandle(socket);
  // The fields must be there and unused: otherwise this is not what was understood above.
  const isKnown = FIELDS !== undefined && fields[FIELDS.buffer] === null && fields[FIELDS.callback] === null;
  if (!isKnown || handle === undefined || socket.readableLength > 0) {
    socket.on('data', read);
    return;
  }
  fields[FIELDS.buffer] = buffer;
  fields[FIELDS.callback] = (sizeBytes: number): boolean => {
    read(buffer.subarray(0, sizeBytes));
    return true;
  };
  handle.useUserBuffer(buffer);
  // Nothing arrives by events, but the end of the stream is only told to one that flows.
  socket.resume();
}
