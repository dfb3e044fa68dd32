import { COLLECTION_CONVERTERS } from './collection-converters.ts';
import { CONVERSION_CONVERTERS } from './conversion-converters.ts';
import type { Converters } from './converter.ts';
import { FLOW_CONVERTERS } from './flow-converters.ts';
import { HASH_CONVERTERS } from './hash-converters.ts';
import { PARSE_CONVERTERS } from './parse-converters.ts';
import { TEXT_CONVERTERS } from './text-converters.ts';
import { TIME_CONVERTERS } from './time-converters.ts';
import { TYPE_CONVERTERS } from './type-converters.ts';

/** All converters by name. */
export const CONVERTERS: Converters = {
  ...TYPE_CONVERTERS,
  ...COLLECTION_CONVERTERS,
  ...CONVERSION_CONVERTERS,
  ...TEXT_CONVERTERS,
  ...HASH_CONVERTERS,
  ...PARSE_CONVERTERS,
  ...TIME_CONVERTERS,
  ...FLOW_CONVERTERS,
};

/** Of the language, and not there yet: refused by name. */
export const UNSUPPORTED_CONVERTERS: ReadonlySet<string> = new Set([
  ...['All', 'Any', 'Filter', 'Find', 'MapEach', 'MapKeys', 'Reduce', 'When'],
  ...['ParseXML', 'ParseSimplifiedXML', 'GetXML', 'InsertXML', 'RemoveXML'],
  ...['ConvertAttributesToElementsXML', 'ConvertTextToElementsXML'],
  ...['ExtractGrokPatterns', 'UserAgent', 'ProfileID', 'XXH3', 'XXH128'],
]);
