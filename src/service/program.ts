/** The program behind main.ts: commands, the life of the engine, what a person sees. Returns exit codes. */
import type { AnyFactory } from '../component/factory.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { formatIssue, type SourceIssue } from '../config/config-node.ts';
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { packageVersion } from '../stdx/product.ts';
import { type PrintConfigCommand, parseCli, type SourceFlags } from './cli.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { cliIssuesText, componentsText, helpText, versionText } from './help.ts';
import { loadPlan } from './load-plan.ts';

const NOTHING_STARTED = 'nothing was started';

export interface Program {
  argv: readonly string[];
  clock: Clock;
  failpoints: string | undefined;
  writeOut(text: string): void;
  writeError(text: string): void;
  /** Calls `onStop` at SIGINT or SIGTERM, first and later ones alike. */
  onSignal(onStop: (signal: string) => void): void;
  /** Calls `onReload` at SIGHUP. */
  onReload(onReload: () => void): void;
}

/** Commands with words of their own. Each loads its modules itself: an engine's main thread needs none of them. */
const COMMANDS: ReadonlyMap<string, (program: Program) => Promise<number>> = new Map([
  ['convert', async (program) => (await import('./convert-command.ts')).runConvert(program)],
  ['cursors', async (program) => (await import('./cursors.ts')).runCursors(program)],
  [
    'deadletter',
    async (program) =>
      (await import('./deadletter.ts')).runDeadletter({ ...program, registry: await builtin() }),
  ],
  ['featuregate', async (program) => (await import('./featuregate-command.ts')).runFeatureGate(program)],
  [
    'replay',
    async (program) =>
      (await import('./replay-command.ts')).runReplayCommand({ ...program, registry: await builtin() }),
  ],
  ['sample', async (program) => (await import('./sample-command.ts')).runSampleCommand(program)],
  ['top', async (program) => (await import('./top-command.ts')).runTopCommand(program)],
]);

/** Every component of this build. */
async function builtin(): Promise<Registry> {
  const { BUILTIN } = await import('../registry/builtin.ts');
  return BUILTIN;
}

export async function runProgram(program: Program): Promise<number> {
  const [word, ...argv] = program.argv;
  const run = word === undefined ? undefined : COMMANDS.get(word);
  if (run !== undefined) return run({ ...program, argv });
  const { command, issues } = parseCli(program.argv);
  if (command === undefined) {
    program.writeError(cliIssuesText(issues));
    return EXIT_CONFIG;
  }
  switch (command.command) {
    case 'help':
      program.writeOut(helpText());
      return EXIT_OK;
    case 'version':
      program.writeOut(versionText(packageVersion()));
      return EXIT_OK;
    case 'components':
      program.writeOut(await componentsOutput(command.format));
      return EXIT_OK;
    case 'config-schema':
      program.writeOut((await import('./config-schema.ts')).configSchemaText((await builtin()).values()));
      return EXIT_OK;
    case 'print-config':
      return runPrintConfig(program, command);
    case 'validate':
      return (await readPlan(program, command, new Map())) === undefined ? EXIT_CONFIG : EXIT_OK;
    case 'run': {
      const registry = new Map<string, AnyFactory>();
      let referencedFiles = new Set<string>();
      const load = (consequence?: string) => {
        referencedFiles = new Set();
        return readPlan(program, command, registry, consequence, (path) => referencedFiles.add(path));
      };
      const plan = await load();
      if (plan === undefined) return EXIT_CONFIG;
      const { runEngine } = await import('./engine-run.ts');
      const { configFiles } = await import('./reload-watch.ts');
      return runEngine({
        ...program,
        ...{ registry, command, plan, version: packageVersion() },
        watchedFiles: command.isWatching ? configFiles(command.configs) : [],
        referencedFiles: () => [...referencedFiles],
        readAgain: () => load('nothing was changed'),
      });
    }
  }
}

/** Prints every issue and warning; undefined when the configuration is wrong. */
async function readPlan(
  program: Program,
  command: SourceFlags,
  registry: Map<string, AnyFactory>,
  consequence = NOTHING_STARTED,
  onFileRead: (path: string) => void = () => {},
): Promise<CollectorPlan | undefined> {
  const loaded = await loadPlan({ ...command, onFileRead }, registry);
  const { warnings } = loaded.plan ?? loaded;
  writeFindings(program, [...command.warnings, ...warnings], loaded.issues, consequence);
  return loaded.plan;
}

async function componentsOutput(format: 'yaml' | 'markdown'): Promise<string> {
  const factories = (await builtin()).values();
  if (format !== 'markdown') return componentsText(factories, packageVersion());
  const { configurationMarkdown } = await import('./configuration-markdown.ts');
  return configurationMarkdown(factories);
}

async function runPrintConfig(program: Program, command: PrintConfigCommand): Promise<number> {
  const { printConfig } = await import('./print-config.ts');
  const { text, issues, warnings } = printConfig(command, (await builtin()).values());
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
