/** A process that starts a store, prints the store's process id, and waits to be killed. */
import { createExtension } from './store.test-peer.ts';

const extension = createExtension(process.argv[2]!, {}, []);
await extension.start();
process.stdout.write(`${extension.pid}\n`);
