/** `millrace config-schema`: the JSON Schema of a configuration, for editors. */
import type { AnyFactory } from '../component/factory.ts';
import { configJsonSchema } from '../config/json-schema.ts';

/** Draft 7, as text that ends in a line end. */
export function configSchemaText(factories: Iterable<AnyFactory>): string {
  return `${JSON.stringify(configJsonSchema(factories), null, 2)}\n`;
}
