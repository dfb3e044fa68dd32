/**
 * zod, loaded when a value is read for the first time. Worker threads get configurations that were read already, and
 * loading it would take a sixth of their start.
 */
import { createRequire } from 'node:module';
import { once } from '../stdx/once.ts';

export type Zod = typeof import('zod/mini');

const require = createRequire(import.meta.url);

/** Reading a configuration is synchronous, so this is `require` and not `import`. */
export const zod = once(() => require('zod/mini') as Zod);
