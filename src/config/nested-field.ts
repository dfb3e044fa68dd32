/** Fields whose value has a table of its own that is looked up when the value is met: what may contain itself. */
import type { ZodMiniType } from 'zod/mini';
import type { ParsedConfig } from '../component/config-schema.ts';
import { once } from '../stdx/once.ts';
import type { JsonSchema, LeafField } from './schema.ts';
import { type Zod, zod } from './zod.ts';

interface NestedOptions<T> {
  doc: string;
  /** For the documentation, e.g. `list of policies`. */
  type: string;
  json: JsonSchema;
  /** Called for a value that is there; never mutates. */
  parse(raw: unknown): ParsedConfig<T>;
}

/** A required value that `parse` reads; its issues name places below the key. Warnings of it are not kept. */
export function nested<T>(key: string, options: NestedOptions<T>): LeafField<T> {
  const schema = once(() => parsedBy(zod(), options.parse));
  return {
    form: 'leaf',
    key,
    oldKey: undefined,
    type: options.type,
    doc: options.doc,
    defaultText: undefined,
    defaultYaml: undefined,
    defaultValue: undefined,
    required: true,
    reading: 'yaml',
    isSecret: false,
    get schema() {
      return schema();
    },
    json: options.json,
    redact: (value) => value,
  };
}

function parsedBy<T>(z: Zod, parse: (raw: unknown) => ParsedConfig<T>): ZodMiniType<T> {
  return z.pipe(
    z.unknown(),
    z.transform((raw: unknown, context): T => {
      const parsed = parse(raw);
      if (parsed.value !== undefined) return parsed.value;
      for (const { path, key: named, message } of parsed.issues) {
        const below = named === undefined ? [...path] : [...path, named];
        context.issues.push({ code: 'custom', message, path: below, input: undefined });
      }
      return z.NEVER;
    }),
  );
}
