import type { Signal } from '../../component/signal.ts';
import { logsStatements } from './ddl-logs.ts';
import { metricsStatements } from './ddl-metrics.ts';
import { rollupStatements } from './ddl-rollups.ts';
import { onCluster, type SchemaSettings } from './ddl-table.ts';
import { tracesStatements } from './ddl-traces.ts';
import { quoted } from './table-names.ts';

/**
 * Statements that create what is missing of one signal's schema, in order. None touches an existing table,
 * so they may run at every start.
 */
export function schemaStatements(settings: SchemaSettings, signal: Signal): string[] {
  const statements: string[] = [];
  if (settings.database !== 'default') {
    statements.push(`CREATE DATABASE IF NOT EXISTS ${quoted(settings.database)}${onCluster(settings)}`);
  }
  if (signal === 'logs') return [...statements, ...logsStatements(settings)];
  if (signal === 'metrics') return [...statements, ...metricsStatements(settings)];
  statements.push(...tracesStatements(settings));
  if (settings.hasRollups) statements.push(...rollupStatements(settings));
  return statements;
}
