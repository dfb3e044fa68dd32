/** Texts of `--help`, `--version`, `components`, and of a command line that makes no sense. */
import type { AnyFactory, ComponentKind, Stability } from '../component/factory.ts';
import { SIGNALS } from '../component/signal.ts';
import { type CliIssue, DEFAULT_DATA_DIR } from './cli.ts';

const HELP = `millrace: takes OpenTelemetry data, writes it to disk before it answers OK, and
delivers it to ClickHouse and other backends. Configured by the YAML of the
OpenTelemetry Collector.

Usage
  millrace [run] --config FILE [flags]
  millrace validate --config FILE      check a configuration, list every mistake, start nothing
  millrace print-config --config FILE  the configuration that takes effect, secrets hidden
  millrace config-schema               JSON Schema of the configuration, for editors
  millrace deadletter ACTION           list, show or retry (--config FILE) what a backend refused
  millrace cursors ACTION              list, rewind, remove, adopt how far exporters are in the logs
  millrace top [--endpoint URL]        what a running engine does, once a second, from its metrics
  millrace convert refinery FILE       sampling rules of Refinery as processors
  millrace sample --policies FILE      what sampling policies would keep of recorded traces (--from)
  millrace replay --from ARCHIVE       send what is archived in S3 or files again (--to)
  millrace featuregate [ID]            what --feature-gates can turn on
  millrace components                  list the components of this build as YAML
  millrace --version
  millrace --help

Examples
  millrace --config configs/default.yaml
  millrace validate --config gateway.yaml
  millrace --config gateway.yaml --data-dir /var/lib/millrace --disk-budget 50GiB
  millrace --config env:MILLRACE_CONFIG
  millrace --config gateway.yaml --config site.yaml --set service.telemetry.logs.level=debug
  millrace --config gateway.yaml --durability memory

Flags
  --config SOURCE       a path, or file:PATH, env:NAME (the variable holds the YAML), yaml:TEXT;
                        several are merged, later ones win
  --set KEY=VALUE       one value over all of --config, such as exporters.nop.timeout=5s; repeatable
  --data-dir DIR        where data waits for delivery; default ${DEFAULT_DATA_DIR}
  --durability MODE     disk (default) or memory, see below
  --disk-budget SIZE    most that waiting data may take on disk, such as 500MB or 20GiB;
                        when it is used up, senders are asked to retry later
  --retain WHAT         keep delivered data for cursors rewind: a time, a size or both, such as
                        24h,50GiB; part of the disk budget, and the first to go when it is full
  --workers N           threads that decode and write; default: one less than the cores
  --watch               take a changed configuration file over without a restart; SIGHUP does
                        so at any time. A wrong one changes nothing
  --format FORMAT       of print-config: yaml (default) or json
  --mode MODE           of print-config: redacted (default) or unredacted, which shows secrets
  --markdown            of components: every key of every component
  Flags are written --flag value or --flag=value.

Where the data is
  Whatever was answered with OK is in a log under --data-dir, or in the directory of the
  file_storage extension that an exporter names in sending_queue.storage, until every
  exporter has delivered it. Stopping and starting again with the same directory goes on
  where it stopped. Two running engines must not share a directory.

What --durability memory gives up
  The same log is kept in a temporary directory and never flushed. OK then means "taken",
  not "kept": a crash, a power cut or a stop with undelivered data loses what was waiting.

In the configuration
  \${env:NAME} or \${NAME}    value of a variable; \${env:NAME:-text} with a default
  \${file:PATH}             content of a file: a secret, or a whole section
  $$                        a single dollar sign

Exit codes
  0   stopped as asked; what was not delivered is on disk
  1   the command line or the configuration is wrong, or a component could not start
  70  an error inside the engine
  74  the disk failed: nothing was acknowledged after that
  75  stopping took too long; what was not delivered is on disk
`;

export function helpText(): string {
  return HELP;
}

/** @param version of package.json. */
export function versionText(version: string): string {
  return `millrace version ${version}\n`;
}

/** What goes to stderr for a bad command line: every mistake, then where to read on. */
export function cliIssuesText(issues: readonly CliIssue[]): string {
  const lines = issues.map((issue) => `millrace: ${issue.message}`);
  return `${lines.join('\n')}\nmillrace --help explains the flags.\n`;
}

const SECTIONS: readonly (readonly [string, ComponentKind])[] = [
  ['receivers', 'receiver'],
  ['processors', 'processor'],
  ['exporters', 'exporter'],
  ['connectors', 'connector'],
  ['extensions', 'extension'],
];

/** The components of this build in the shape of the Collector's `components` command: YAML. */
export function componentsText(factories: Iterable<AnyFactory>, version: string): string {
  const all = [...factories];
  const sections = SECTIONS.map(([section, kind]) => {
    const ofKind = all.filter((factory) => factory.kind === kind);
    if (ofKind.length === 0) return `${section}: []\n`;
    const entries = ofKind.toSorted((a, b) => (a.type < b.type ? -1 : 1)).map(componentText);
    return `${section}:\n${entries.join('')}`;
  });
  const providers = ['env', 'file', 'yaml'].map((scheme) => `    - scheme: ${scheme}\n`).join('');
  return `buildinfo:\n    command: millrace\n    version: ${version}\n${sections.join('')}providers:\n${providers}`;
}

function componentText(factory: AnyFactory): string {
  const levels: [string, Stability][] =
    typeof factory.stability === 'string'
      ? [['extension', factory.stability]]
      : SIGNALS.toSorted().flatMap((signal): [string, Stability][] => {
          const level = (factory.stability as Partial<Record<string, Stability>>)[signal];
          return level === undefined ? [] : [[signal, level]];
        });
  const lines = levels.map(([subject, level]) => `        ${subject}: ${capitalized(level)}\n`);
  return `    - name: ${factory.type}\n      stability:\n${lines.join('')}`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
