/** Reads Prometheus text (format 0.0.4) into series by name: what a person looks at once a second, so plainly. */

export interface Sample {
  labels: ReadonlyMap<string, string>;
  value: number;
}

/** Samples by the name on their line: `_sum`, `_count` and `_bucket` are names of their own. */
export type Scrape = ReadonlyMap<string, readonly Sample[]>;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED: Readonly<Record<string, string>> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' };

function readLabels(text: string | undefined): Map<string, string> {
  const labels = new Map<string, string>();
  for (const [, name, value] of (text ?? '').matchAll(LABEL))
    labels.set(
      name!,
      value!.replace(/\\./g, (pair) => ESCAPED[pair] ?? pair),
    );
  return labels;
}

/** @returns undefined when the text is no number. */
function readValue(text: string): number | undefined {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  const value = Number(text);
  return Number.isNaN(value) && text !== 'NaN' ? undefined : value;
}

/** Lines that are no samples are passed over: a strange exporter still shows what can be read of it. */
export function parseScrape(text: string): Scrape {
  const scrape = new Map<string, Sample[]>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = LINE.exec(line);
    if (match === null) continue;
    const value = readValue(match[3]!);
    if (value === undefined) continue;
    const sample = { labels: readLabels(match[2]), value };
    const samples = scrape.get(match[1]!);
    if (samples === undefined) scrape.set(match[1]!, [sample]);
    else samples.push(sample);
  }
  return scrape;
}

/** Samples of a counter or gauge under any of the spellings that Collectors have for it. */
export function samplesOf(scrape: Scrape, name: string): readonly Sample[] {
  for (const spelling of [
    name,
    `${name}_total`,
    `${name}_seconds_total`,
    `${name}_seconds`,
    `${name}_bytes`,
  ]) {
    const samples = scrape.get(spelling);
    if (samples !== undefined) return samples;
  }
  return [];
}

/** Sum of the samples with all of these labels; undefined when there is none. */
export function sumOf(
  scrape: Scrape,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const wanted = Object.entries(labels);
  const found = samplesOf(scrape, name).filter((sample) =>
    wanted.every(([label, value]) => sample.labels.get(label) === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}
