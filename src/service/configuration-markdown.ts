/** docs/configuration.md: every key of every component, from the tables that read them. */
import type { AnyFactory, ComponentKind, Stability } from '../component/factory.ts';
import { SECTION_OF_KIND } from '../config/components.ts';
import { knownTypes, spellingOf } from '../config/known-components.ts';
import { pipelineSchema } from '../config/pipelines.ts';
import { type Field, type OtherKey, type Shape, shapeOf } from '../config/schema.ts';
import { telemetryShape } from '../config/telemetry-config.ts';

const INTRODUCTION = `# Configuration

<!-- Written by \`npm run docs\` from the configuration tables of the source. Change those, not this file. -->

The configuration is the YAML of the OpenTelemetry Collector. \`millrace validate --config FILE\` lists every mistake with
file, line, column and path; \`millrace print-config --config FILE\` prints what takes effect, secrets hidden;
\`millrace config-schema > millrace.schema.json\` writes a JSON Schema; editors that speak YAML complete and check a file
whose first line is \`# yaml-language-server: $schema=millrace.schema.json\`.

## Where it comes from

| Form | Meaning |
| --- | --- |
| \`--config PATH\`, \`--config file:PATH\` | a YAML file of at most 10 MiB |
| \`--config env:NAME\` | the YAML that a variable holds |
| \`--config yaml:TEXT\` | YAML on the command line, e.g. \`yaml:service::telemetry::logs::level: debug\` |
| \`--set key.below=value\` | one value, in YAML, after all of \`--config\` |

Several are merged from left to right: maps key by key at every depth, everything else is replaced by the later one, and
null empties what was there. At the top level of each, \`a::b::c: value\` stands for nested maps.

## References in values

| Form | Meaning |
| --- | --- |
| \`\${env:NAME}\`, \`\${NAME}\` | a variable; not set, it is null and a warning |
| \`\${env:NAME:-text}\` | with a default for a variable that is not set |
| \`\${file:PATH}\` | the content of a file of at most 1 MiB, without the line end at its end |
| \`\${yaml:TEXT}\` | the text |
| \`$$\` | one dollar sign; \`$\${env:NAME}\` is text |

A value that is one reference and nothing else has the YAML type of what it names, so a file can hold a whole section; keys
that want a string get the characters as they are. A reference inside other text gives text. What a reference names may
hold references, at most 10 deep; the innermost pair of braces is replaced first. Cycles are refused.

## Values

| Type | Written as |
| --- | --- |
| duration | \`1h30m\`, \`200ms\`, \`1.5s\`, \`0\`; a bare integer counts nanoseconds |
| bytes | an integer, or a text with a unit such as \`256MiB\` or \`1.5GB\` |
| secret | a string that no message, log line or printed configuration shows |
| list of strings | a list; a single string is split at its commas |
| host:port | \`localhost:4317\`, \`:4317\`, \`[::1]:4317\` |
| optional map | off when the key is absent or its \`enabled\` is false; the bare key switches it on with its defaults |

Types are strict: text is no number, a number is no text. Null stands for the default. Unknown and duplicate keys are refused.
`;

const TABLE_HEAD = '| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n';

/** @param factories every component of this build. */
export function configurationMarkdown(factories: Iterable<AnyFactory>): string {
  const all = [...factories];
  const kinds = Object.keys(SECTION_OF_KIND) as ComponentKind[];
  return `${[INTRODUCTION, ...kinds.map((kind) => kindText(kind, all)), serviceText()].join('\n')}`;
}

function kindText(kind: ComponentKind, all: readonly AnyFactory[]): string {
  const ofKind = all
    .filter((factory) => factory.kind === kind)
    .toSorted((a, b) => (a.type < b.type ? -1 : 1));
  const section = SECTION_OF_KIND[kind];
  const isHere = (type: string) => {
    const { other } = spellingOf(kind, type);
    return ofKind.some((factory) => factory.type === type || factory.type === other);
  };
  const missing = [...knownTypes(kind)].filter((type) => !isHere(type)).toSorted();
  const later = `Refused as "not supported yet": ${missing.map((type) => `\`${type}\``).join(', ')}.\n`;
  const title = section.charAt(0).toUpperCase() + section.slice(1);
  return [`## ${title}\n`, ...ofKind.map((factory) => componentText(factory)), later].join('\n');
}

function componentText(factory: AnyFactory): string {
  const { kind, type, stability, configSchema } = factory;
  const { other } = spellingOf(kind, type);
  const also = other === undefined ? '' : ` Also loads as \`${other}\`.`;
  return `### ${kind} \`${type}\`\n\n${stabilityText(stability)}.${also}\n\n${keysText(configSchema)}`;
}

function keysText(configSchema: AnyFactory['configSchema']): string {
  const table = rowsOf(shapeOf(configSchema), '').join('');
  return table === '' ? 'It has no keys.\n' : `${TABLE_HEAD}${table}`;
}

/** Around what is generated in a component's README. */
const KEYS_BEGIN = '<!-- generated: keys, by npm run docs from config.ts -->\n';
const KEYS_END = '<!-- end -->\n';

/**
 * A component's README with the table of its keys as it is now.
 * @returns undefined when it has no place for it: the two markers, each on a line of its own.
 */
export function readmeWithKeys(readme: string, { configSchema }: AnyFactory): string | undefined {
  const begin = readme.indexOf(KEYS_BEGIN);
  const end = readme.indexOf(KEYS_END, begin);
  if (begin < 0 || end < 0) return undefined;
  return `${readme.slice(0, begin + KEYS_BEGIN.length)}\n${keysText(configSchema)}\n${readme.slice(end)}`;
}

function stabilityText(stability: AnyFactory['stability']): string {
  if (typeof stability === 'string') return `Stability: ${stability}`;
  const levels = Object.entries(stability as Record<string, Stability>);
  return `Stability: ${levels.map(([signal, level]) => `${signal} ${level}`).join(', ')}`;
}

function serviceText(): string {
  const extensions = row(
    'extensions',
    'list of strings',
    '`[]`',
    'Ids of the extensions to start, in this order.',
  );
  const pipelines = row(
    'pipelines',
    'map',
    '',
    'Map of `traces`, `metrics` or `logs`, with `/name` or without, to a pipeline.',
  );
  const pipeline = rowsOf(shapeOf(pipelineSchema), 'pipelines.<id>.');
  const telemetry = row('telemetry', 'map', '', "The engine's own telemetry.");
  const rows = [extensions, pipelines, ...pipeline, telemetry, ...rowsOf(telemetryShape, 'telemetry.')];
  return `## Service\n\n${TABLE_HEAD}${rows.join('')}`;
}

function rowsOf(shape: Shape<unknown>, prefix: string): string[] {
  const fields = Object.values(shape.table).flatMap((field) => fieldRows(field, prefix));
  return [...fields, ...shape.others.flatMap((other) => otherRows(other, prefix))];
}

function fieldRows(field: Field<unknown>, prefix: string): string[] {
  switch (field.form) {
    case 'squash':
      return rowsOf(field.shape, prefix);
    case 'section': {
      const head = row(`${prefix}${field.key}`, field.optional ? 'optional map' : 'map', '', field.doc);
      return [head, ...rowsOf(field.shape, `${prefix}${field.key}.`)];
    }
    case 'sections': {
      const head = row(`${prefix}${field.key}`, 'list of maps', '', field.doc);
      return [head, ...rowsOf(field.itemShape, `${prefix}${field.key}[].`)];
    }
    case 'leaf': {
      const { key, type, doc, defaultText, required, oldKey } = field;
      const fallback = required ? 'required' : defaultText === undefined ? '' : `\`${defaultText}\``;
      const old = oldKey === undefined ? '' : ` Old name: \`${oldKey}\`.`;
      return [row(`${prefix}${key}`, type, fallback, `${doc}${old}`)];
    }
  }
}

/** Keys without effect have no default that matters, and those below them are not listed. */
function otherRows(other: OtherKey, prefix: string): string[] {
  if (other.form === 'refused')
    return [row(`${prefix}${other.key}`, '', '', `Refused: \`${other.key}\` ${other.message}.`)];
  const { field, note } = other;
  const type = field.form === 'leaf' ? field.type : field.form === 'sections' ? 'list of maps' : 'map';
  return [row(`${prefix}${field.key}`, type, '', `No effect: ${note}.`)];
}

function row(key: string, type: string, fallback: string, text: string): string {
  const cells = [`\`${key}\``, type, fallback, text].map((cell) => cell.replaceAll('|', '\\|'));
  return `| ${cells.join(' | ')} |\n`;
}
