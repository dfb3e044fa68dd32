/** Where a field of Refinery's flat events is in a span: as expressions of OTTL. */

/** Fields that Honeycomb makes of the span itself. */
const OWN_TEXTS: ReadonlyMap<string, string> = new Map([
  ['name', 'span.name'],
  ['status_message', 'span.status.message'],
  ['trace.trace_id', 'span.trace_id.string'],
  ['trace.span_id', 'span.span_id.string'],
  ['library.name', 'scope.name'],
  ['library.version', 'scope.version'],
]);

export const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
/** Made by Honeycomb or Refinery on the way, so that spans do not have them. */
const FOREIGN = /^(?:meta\.|trace\.|\?\.)/;

/** How a field is read. `sources`: the first that is not nil counts. */
export type FieldPlace =
  | { kind: 'values'; sources: string[] }
  | { kind: 'own'; source: string }
  | { kind: 'kind' | 'error' | 'parent' | 'duration' }
  | { kind: 'unknown' };

/** @param field without `root.`. */
export function placeOf(field: string): FieldPlace {
  const own = OWN_TEXTS.get(field);
  if (own !== undefined) return { kind: 'own', source: own };
  switch (field) {
    case 'status_code':
      return { kind: 'own', source: 'span.status.code' };
    case 'span.kind':
      return { kind: 'kind' };
    case 'error':
      return { kind: 'error' };
    case 'duration_ms':
      return { kind: 'duration' };
    case 'trace.parent_id':
      return { kind: 'parent' };
  }
  if (FOREIGN.test(field)) return { kind: 'unknown' };
  const key = JSON.stringify(field);
  return { kind: 'values', sources: [`span.attributes[${key}]`, `resource.attributes[${key}]`] };
}

/** Why the policy `dynamic` would not read what Refinery reads under this name; undefined when it does. */
export function keyFieldProblem(field: string): string | undefined {
  const name = field.startsWith('root.') ? field.slice('root.'.length) : field;
  const place = placeOf(name);
  if (place.kind === 'values' || name === 'name' || name === 'status_code' || place.kind === 'kind')
    return undefined;
  if (place.kind === 'error') return 'reads an attribute "error" only, not the status: add status_code';
  return 'has no value here, so that it separates nothing';
}
