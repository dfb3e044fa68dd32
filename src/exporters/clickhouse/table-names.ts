import type { TableKey } from './encode/encoder.ts';

/** What ClickHouse identifiers of this exporter may look like; they are quoted besides. */
export const IDENTIFIER_PATTERN = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Names of the tables, without their database. */
export type TableNames = Readonly<Record<TableKey, string>>;

/** An identifier in backquotes. The configuration let only harmless ones through. */
export function quoted(identifier: string): string {
  return `\`${identifier.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

/** `database`.`table`. */
export function qualified(database: string, table: string): string {
  return `${quoted(database)}.${quoted(table)}`;
}
