/** Memory of this process, and what it may have. */
import { totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { anonymousBytes } from '../../stdx/anonymous-memory.ts';

export interface MemorySource {
  /** Anonymous memory of the process: heaps, buffers and rings of all threads, but no pages of the log. */
  usedBytes(): number;
  /** What the control group allows, or the machine has. */
  totalBytes(): number;
  /** Collects garbage of this thread at once. */
  collect(): void;
}

let collectGarbage: (() => void) | undefined;

export const processMemory: MemorySource = {
  usedBytes: anonymousBytes,
  totalBytes: () => {
    const machineBytes = totalmem();
    // Without a limit the control group says 0 or a number that no machine has.
    const groupBytes = process.constrainedMemory();
    return groupBytes > 0 && groupBytes < machineBytes ? groupBytes : machineBytes;
  },
  collect: () => {
    if (collectGarbage === undefined) {
      setFlagsFromString('--expose-gc');
      collectGarbage = runInNewContext('gc') as () => void;
    }
    collectGarbage();
  },
};
