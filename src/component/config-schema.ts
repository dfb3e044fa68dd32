/** One line of a component's configuration table: what documentation and a JSON Schema are made from. */
export interface FieldDoc {
  /** YAML path below the component, dots between levels. */
  key: string;
  /** `duration`, `integer`, `string`, `boolean`, `list of string`, ... */
  type: string;
  /** As the user would write it; undefined when the key has no default. */
  defaultText: string | undefined;
  doc: string;
}

export interface ConfigIssue {
  /** Path of keys and list indexes below the value that was parsed. */
  path: readonly (string | number)[];
  message: string;
  /** Key below `path` that the message names itself: only the position in the file is taken from it. */
  key?: string;
}

/**
 * Table-driven schema of one component's YAML. Parsed values are plain data: they are cloned between threads.
 * Parsing never mutates its input and reports every issue, not only the first.
 */
export interface ConfigSchema<T> {
  readonly fields: readonly FieldDoc[];
  /** @param raw plain YAML value of the component; null or undefined means all defaults. */
  parse(raw: unknown): ParsedConfig<T>;
}

/** Warnings do not stop anything: keys with an old name, keys accepted without an effect. */
export type ParsedConfig<T> =
  | { value: T; issues: []; warnings?: readonly ConfigIssue[] }
  | { value: undefined; issues: ConfigIssue[]; warnings?: readonly ConfigIssue[] };
