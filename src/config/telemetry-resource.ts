/** `service::telemetry::resource` in both of its forms: a map of names to values, and the list `attributes`. */

export interface ReadResource {
  /** null takes an attribute away that the engine would have by itself. */
  attributes: Record<string, string | null>;
  problems: string[];
}

type Attributes = Map<string, string | null>;

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Values are printed as Prometheus labels, so numbers and truth values become texts, and lists are refused. */
function readValue(name: string, value: unknown, problems: string[]): string | null {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  problems.push(`the value of "${name}" must be a text, a number, true or false, or null`);
  return null;
}

function readList(list: unknown, attributes: Attributes, problems: string[]): void {
  if (!Array.isArray(list)) {
    problems.push('"attributes" must be a list of maps with name and value');
    return;
  }
  for (const [index, entry] of list.entries()) {
    if (!isMap(entry) || typeof entry.name !== 'string' || entry.name === '') {
      problems.push(`attributes.${index} must be a map with name and value`);
      continue;
    }
    const { name, value, type: _type, ...others } = entry;
    for (const key of Object.keys(others)) problems.push(`attributes.${index} has an unknown key "${key}"`);
    attributes.set(name, readValue(name, value ?? null, problems));
  }
}

/** @param resource the YAML value, undefined when the key is absent. */
export function readResource(resource: unknown): ReadResource {
  const problems: string[] = [];
  const attributes: Attributes = new Map();
  if (isMap(resource)) {
    for (const [name, value] of Object.entries(resource)) {
      if (name === 'attributes') readList(value, attributes, problems);
      // A list that a schema URL belongs to has the same attributes without it.
      else if (name !== 'schema_url') attributes.set(name, readValue(name, value, problems));
    }
    if (Object.hasOwn(resource, 'detection/development')) {
      problems.push('"detection/development" is not supported yet');
    }
  } else if (resource !== undefined && resource !== null) {
    problems.push('expected a map of names to values');
  }
  return { attributes: Object.fromEntries(attributes), problems: [...new Set(problems)] };
}
