/** Memory of buffers, given back at once instead of at some later collection. */
import { MessageChannel } from 'node:worker_threads';

/** What is sent into a closed channel goes nowhere, and what is transferred with it is freed there. */
const nowhere = new MessageChannel();
nowhere.port1.close();

/**
 * Frees the memory of an ArrayBuffer; it and all views of it have no bytes from then on. V8 sees only the small object
 * around a buffer, so memory in passing is freed late; and it counts that memory: each few MiB more than at the last
 * collection begin a full one, which takes far longer than whatever filled the buffer.
 *
 * @param buffer not of Node's pool, whose ArrayBuffers cannot be transferred.
 */
export function freeBuffer(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) nowhere.port1.postMessage(undefined, [buffer]);
}
