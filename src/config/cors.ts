/** `cors` of everything that answers browsers. */
import type { CorsConfig } from '../stdx/cors-policy.ts';
import { count, stringList } from './field-kinds.ts';
import { defineShape, type Shape } from './schema.ts';

/** Use it as `section('cors', corsShape, { optional: true, doc })`: undefined means no other origin may read. */
export const corsShape: Shape<CorsConfig> = defineShape<CorsConfig>({
  allowedOrigins: stringList('allowed_origins', {
    default: [],
    doc: 'Origins that may send, exact or with one *; none switches CORS off.',
  }),
  allowedHeaders: stringList('allowed_headers', {
    default: [],
    doc: 'Request headers beside Content-Type and Content-Encoding.',
  }),
  exposedHeaders: stringList('exposed_headers', {
    default: [],
    doc: 'Response headers that scripts may read.',
  }),
  maxAgeS: count('max_age', { default: 0, doc: 'Seconds that a browser may remember a preflight.' }),
});
