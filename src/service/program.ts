/** The program behind main.ts: commands, the life of the engine, what a person sees. Returns exit codes. */
import { loadCollectorConfig } from '../config/collector-config.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { formatIssue, type SourceIssue } from '../config/config-node.ts';
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { packageVersion } from '../stdx/product.ts';
import { type PrintConfigCommand, parseCli, type SourceFlags } from './cli.ts';
import { configSchemaText } from './config-schema.ts';
import { configurationMarkdown } from './configuration-markdown.ts';
import { runConvert } from './convert-command.ts';
import { runCursors } from './cursors.ts';
import { runDeadletter } from './deadletter.ts';
import { runEngine } from './engine-run.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { cliIssuesText, componentsText, helpText, versionText } from './help.ts';
import { printConfig } from './print-config.ts';
import { configFiles } from './reload-watch.ts';
import { runTopCommand } from './top-command.ts';

const NOTHING_STARTED = 'nothing was started';

export interface Program {
  argv: readonly string[];
  registry: Registry;
  clock: Clock;
  failpoints: string | undefined;
  writeOut(text: string): void;
  writeError(text: string): void;
  /** Calls `onStop` at SIGINT or SIGTERM, first and later ones alike. */
  onSignal(onStop: (signal: string) => void): void;
  /** Calls `onReload` at SIGHUP. */
  onReload(onReload: () => void): void;
}

export async function runProgram(program: Program): Promise<number> {
  const [word, ...argv] = program.argv;
  if (word === 'deadletter') return runDeadletter({ ...program, argv });
  if (word === 'cursors') return runCursors({ ...program, argv });
  if (word === 'top') return runTopCommand({ ...program, argv });
  if (word === 'convert') return runConvert({ ...program, argv });
  if (word === 'sample') {
    // It opens logs itself; an engine's main thread must not load what that takes.
    const { runSampleCommand } = await import('./sample-command.ts');
    return runSampleCommand({ ...program, argv });
  }
  if (word === 'replay') {
    const { runReplayCommand } = await import('./replay-command.ts');
    return runReplayCommand({ ...program, argv });
  }
  const { command, issues } = parseCli(program.argv);
  if (command === undefined) {
    program.writeError(cliIssuesText(issues));
    return EXIT_CONFIG;
  }
  const factories = program.registry.values();
  switch (command.command) {
    case 'help':
      program.writeOut(helpText());
      return EXIT_OK;
    case 'version':
      program.writeOut(versionText(packageVersion()));
      return EXIT_OK;
    case 'components':
      program.writeOut(
        command.format === 'markdown'
          ? configurationMarkdown(factories)
          : componentsText(factories, packageVersion()),
      );
      return EXIT_OK;
    case 'config-schema':
      program.writeOut(configSchemaText(factories));
      return EXIT_OK;
    case 'print-config':
      return runPrintConfig(program, command);
    case 'validate':
      return loadPlan(program, command) === undefined ? EXIT_CONFIG : EXIT_OK;
    case 'run': {
      let referencedFiles = new Set<string>();
      const load = (consequence?: string) => {
        referencedFiles = new Set();
        return loadPlan(program, command, consequence, (path) => referencedFiles.add(path));
      };
      const plan = load();
      if (plan === undefined) return EXIT_CONFIG;
      return runEngine({
        ...program,
        ...{ command, plan, version: packageVersion() },
        watchedFiles: command.isWatching ? configFiles(command.configs) : [],
        referencedFiles: () => [...referencedFiles],
        readAgain: () => load('nothing was changed'),
      });
    }
  }
}

/** Prints every issue and warning; undefined when the configuration is wrong. */
function loadPlan(
  program: Program,
  command: SourceFlags,
  consequence = NOTHING_STARTED,
  onFileRead: (path: string) => void = () => {},
): CollectorPlan | undefined {
  const loaded = loadCollectorConfig({ ...command, onFileRead }, program.registry.values());
  const { warnings } = loaded.plan ?? loaded;
  writeFindings(program, [...command.warnings, ...warnings], loaded.issues, consequence);
  return loaded.plan;
}

function runPrintConfig(program: Program, command: PrintConfigCommand): number {
  const { text, issues, warnings } = printConfig(command, program.registry.values());
  writeFindings(program, [...command.warnings, ...warnings], issues);
  if (text === undefined) return EXIT_CONFIG;
  program.writeOut(text);
  return EXIT_OK;
}

function writeFindings(
  program: Program,
  warnings: readonly string[],
  issues: readonly SourceIssue[] | undefined,
  consequence = NOTHING_STARTED,
): void {
  for (const warning of warnings) program.writeError(`warning: ${warning}\n`);
  if (issues === undefined) return;
  for (const issue of issues) program.writeError(`error: ${formatIssue(issue)}\n`);
  program.writeError(`${issues.length} errors in the configuration; ${consequence}\n`);
}
