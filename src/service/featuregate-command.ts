/** `millrace featuregate`: the feature gates of this build, in the words of the Collector's command. */
import { FEATURE_GATES, type FeatureGate, strangeGate } from '../config/gates.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { cliIssuesText } from './help.ts';

const FEATUREGATE_HELP = `millrace featuregate: what --feature-gates can turn on

Usage
  millrace featuregate        every feature gate of this build, and whether it is on without a flag
  millrace featuregate ID     one of them

Examples
  millrace featuregate
  millrace --config gateway.yaml --feature-gates=${FEATURE_GATES[0]!.id}

  Ids and meanings are the Collector's. Gates of the Collector that this build does not have are
  accepted by --feature-gates with a warning.

Exit codes: 0 printed; 1 there is no such gate.
`;

export interface FeatureGateProgram {
  /** Behind the word `featuregate`. */
  argv: readonly string[];
  writeOut(text: string): void;
  writeError(text: string): void;
}

/** @returns the exit code. */
export function runFeatureGate({ argv, writeOut, writeError }: FeatureGateProgram): number {
  if (argv.includes('--help') || argv.includes('-h')) {
    writeOut(FEATUREGATE_HELP);
    return EXIT_OK;
  }
  const refuse = (code: 'unknown-flag' | 'unexpected-value' | 'bad-value', message: string): number => {
    writeError(cliIssuesText([{ code, argument: argv[0]!, message }]));
    return EXIT_CONFIG;
  };
  const flag = argv.find((word) => word.startsWith('-'));
  if (flag !== undefined) return refuse('unknown-flag', `unknown flag ${flag} of featuregate`);
  if (argv.length > 1)
    return refuse('unexpected-value', `featuregate takes at most one id, and here are ${argv.length}`);
  const [id] = argv;
  const gate = FEATURE_GATES.find((each) => each.id === id);
  if (id !== undefined && gate === undefined) return refuse('bad-value', strangeGate(id));
  writeOut(gate === undefined ? gateTable(FEATURE_GATES) : gateText(gate));
  return EXIT_OK;
}

function gateTable(gates: readonly FeatureGate[]): string {
  const rows = gates.map(({ id, isOn, stage, description }) => [id, String(isOn), stage, description]);
  const all = [['ID', 'Enabled', 'Stage', 'Description'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`)
    .join('');
}

function gateText({ id, isOn, stage, description }: FeatureGate): string {
  return `Feature: ${id}\nEnabled: ${isOn}\nStage: ${stage}\nDescription: ${description}\n`;
}
