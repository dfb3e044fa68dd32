/** `millrace print-config`: the configuration as it takes effect, as YAML or JSON. */
import type { AnyFactory } from '../component/factory.ts';
import type { SourceIssue } from '../config/config-node.ts';
import { loadEffectiveConfig } from '../config/effective-config.ts';
import { printYaml } from '../config/yaml-text.ts';
import type { PrintConfigCommand } from './cli.ts';

export type PrintedConfig =
  | { text: string; issues?: undefined; warnings: string[] }
  | { text?: undefined; issues: SourceIssue[]; warnings: string[] };

/**
 * Its YAML is a configuration again: dollar signs are escaped, and with secrets shown it gives the same plan.
 * The Collector's own command prints configurations with mistakes, too; here they are listed instead.
 */
export function printConfig(command: PrintConfigCommand, factories: Iterable<AnyFactory>): PrintedConfig {
  const { config, issues, warnings } = loadEffectiveConfig(command, factories, command);
  if (config === undefined) return { issues, warnings };
  const text = command.format === 'json' ? `${JSON.stringify(config, null, 2)}\n` : printYaml(config);
  return { text, warnings };
}
