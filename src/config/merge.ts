/** Several sources to one tree, by the Collector's rules: maps deep, everything else replaced by the later one. */
import type { ConfigNode, MapEntry, MapNode, Position, SourceIssue } from './config-node.ts';

const SEPARATOR = '::';

/** @returns a new tree; where both are maps, keys that only one of them has are kept. Null replaces, too. */
export function mergeNodes(earlier: ConfigNode, later: ConfigNode): ConfigNode {
  if (earlier.kind !== 'map' || later.kind !== 'map') return later;
  const entries = new Map(earlier.entries);
  for (const [key, entry] of later.entries) {
    const before = entries.get(key);
    entries.set(key, before === undefined ? entry : { ...entry, node: mergeNodes(before.node, entry.node) });
  }
  return { ...later, entries };
}

/**
 * Keys of the top level such as `service::telemetry::logs::level` to nested maps. Keys with an empty part stay.
 * @param issues gets the keys that are written in both forms with different values.
 */
export function nestKeys(root: ConfigNode, issues: SourceIssue[]): ConfigNode {
  if (root.kind !== 'map' || ![...root.entries.keys()].some((key) => key.includes(SEPARATOR))) return root;
  let nested: MapNode = { ...root, entries: new Map() };
  for (const [key, { keyAt, node }] of root.entries) {
    const parts = key.split(SEPARATOR);
    const isPath = parts.length > 1 && !parts.includes('');
    const added = isPath ? nodeAt(parts, node, keyAt) : nodeAt([key], node, keyAt);
    const twin = firstTwin(nested, added, []);
    if (twin !== undefined) {
      const path = twin.slice(0, -1).join(SEPARATOR);
      issues.push({ ...keyAt, path, message: `duplicate key "${twin.at(-1)}"`, keepsValue: true });
    } else nested = mergeNodes(nested, added) as MapNode;
  }
  return nested;
}

/** The path of the first key that both have and that cannot be merged. */
function firstTwin(a: MapNode, b: MapNode, path: readonly string[]): string[] | undefined {
  for (const [key, { node }] of b.entries) {
    const other = a.entries.get(key)?.node;
    if (other === undefined) continue;
    const below = [...path, key];
    if (other.kind !== 'map' || node.kind !== 'map') return below;
    const twin = firstTwin(other, node, below);
    if (twin !== undefined) return twin;
  }
  return undefined;
}

/** Maps around a value, one for each key of the path. */
export function nodeAt(path: readonly string[], value: ConfigNode, at: Position): MapNode {
  let node = value;
  for (const key of path.toReversed()) {
    const entry: MapEntry = { keyAt: at, node };
    node = { kind: 'map', entries: new Map([[key, entry]]), at, isFlow: false };
  }
  return node as MapNode;
}
