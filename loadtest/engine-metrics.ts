/** What the engine says of itself, for figures that cannot be seen from outside. */

const METRICS_URL = 'http://127.0.0.1:8888/metrics';

export interface Series {
  readonly labels: string;
  readonly value: number;
}

/** The series of one name that hold all of these label texts. */
export async function scrapeSeries(name: string, ...labels: readonly string[]): Promise<Series[]> {
  const text = await (await fetch(METRICS_URL)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => ({
      labels: line.slice(name.length, line.lastIndexOf(' ')),
      value: Number(line.slice(line.lastIndexOf(' '))),
    }))
    .filter((series) => labels.every((label) => series.labels.includes(label)));
}

/** Sum of the series of one name that hold all of these label texts; 0 when there is none. */
export async function scrape(name: string, ...labels: readonly string[]): Promise<number> {
  return (await scrapeSeries(name, ...labels)).reduce((sum, { value }) => sum + value, 0);
}

/** Spans taken and not yet delivered by the exporter that is furthest behind. */
export async function spansBehind(): Promise<number> {
  const accepted = await scrape('otelcol_receiver_accepted_spans');
  const sent = await scrapeSeries('otelcol_exporter_sent_spans');
  const least = sent.length === 0 ? 0 : Math.min(...sent.map(({ value }) => value));
  return Math.max(0, accepted - least);
}
