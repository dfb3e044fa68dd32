/** Which topics a consumer reads: names, and regular expressions over the names that exist. Pure. */

export interface TopicSelection {
  names: readonly string[];
  patterns: readonly RegExp[];
  /** Of the topics that patterns find. */
  excluded: readonly RegExp[];
}

export interface SelectedTopics {
  /** Ascending, each once. */
  topics: readonly string[];
  /** Asked for by name and not there. */
  missing: readonly string[];
}

/** Of the brokers themselves: patterns do not find them. */
const INTERNAL_PREFIX = '__';

export function selectTopics(selection: TopicSelection, existing: readonly string[]): SelectedTopics {
  const known = new Set(existing);
  const found = existing.filter((topic) => isFound(selection, topic));
  const named = selection.names.filter((name) => known.has(name));
  return {
    topics: [...new Set([...named, ...found])].sort(),
    missing: selection.names.filter((name) => !known.has(name)),
  };
}

/** Whether a pattern of the selection stands for the topic. */
export function isFound({ patterns, excluded }: TopicSelection, topic: string): boolean {
  if (topic.startsWith(INTERNAL_PREFIX)) return false;
  return patterns.some((pattern) => pattern.test(topic)) && !excluded.some((pattern) => pattern.test(topic));
}
