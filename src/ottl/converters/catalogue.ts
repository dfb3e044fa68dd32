import { COLLECTION_CONVERTERS } from './collection-converters.ts';
import type { Converters } from './converter.ts';
import { TYPE_CONVERTERS } from './type-converters.ts';

/** All converters by name. */
export const CONVERTERS: Converters = { ...TYPE_CONVERTERS, ...COLLECTION_CONVERTERS };

/** Of the language, and not there yet: refused by name. */
export const UNSUPPORTED_CONVERTERS: ReadonlySet<string> = new Set([
  ...['All', 'Any', 'Filter', 'Find', 'MapEach', 'MapKeys', 'Reduce', 'When'],
]);
