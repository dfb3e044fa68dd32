/** What the runner of the tests starts, and in which order: files that wait beside files that compute, small ones together. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/**
 * Folders whose tests share nothing but functions. In a process for each file, starting it and loading the same modules
 * costs more than the tests themselves.
 */
const TOGETHER = [
  'src/component',
  'src/config',
  'src/encodings',
  'src/exporters',
  'src/kafka',
  'src/otlp',
  'src/ottl',
  'src/pdata',
  'src/processors',
  'src/queue',
  'src/receivers/awss3',
  'src/receivers/kafka',
  'src/registry',
  'src/s3',
  'src/service',
  'src/stdx',
  'src/telemetry',
  'src/top',
];
/** Tests that change or measure the process that they run in, or start others. */
const ALONE =
  /process\.(env|memoryUsage|on|pid)\b|\bgc\(|configureGlobal|setFailpoints|new Engine\(|EngineProcess|\bspawn|\bfork\(|new Worker\(|createHistogram|monitorEventLoopDelay|\bembedded|isChdbInstalled/;
/** Few enough that no suite is left alone at the end. */
const SUITE_FILES_MAX = 12;

/**
 * Writes a file for each folder that imports its tests, beside the build.
 *
 * @param tests paths from the root of the build.
 * @param readSource text of the source of such a file.
 * @returns paths of the files to start, from the same root.
 */
export function gatherTests(
  root: string,
  tests: readonly string[],
  readSource: (file: string) => string,
): string[] {
  const directory = join(root, 'suites');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const gathered = new Map<string, string[]>();
  const alone: string[] = [];
  for (const file of tests) {
    const folder = TOGETHER.find((each) => file.startsWith(`${each}/`));
    if (folder === undefined || ALONE.test(readSource(file))) alone.push(file);
    else gathered.set(folder, [...(gathered.get(folder) ?? []), file]);
  }
  for (const [folder, files] of gathered) {
    for (let first = 0; first < files.length; first += SUITE_FILES_MAX) {
      const suite = join('suites', `${folder.replaceAll('/', '-')}-${first}.test.js`);
      const imports = files.slice(first, first + SUITE_FILES_MAX).map((file) => {
        const path = relative(directory, join(root, file)).split(sep).join('/');
        return `import '${path}';\n`;
      });
      writeFileSync(join(root, suite), imports.join(''));
      alone.push(suite);
    }
  }
  return alone;
}

/** Tests here start engines, and wait for them more than they use the processor. */
const WAITING = /^src\/testkit\/(e2e|reliability)\//;
/** The longest of them, which must not be left alone at the end. */
const LONGEST = /crash|reload/;

/** Those that wait, spread evenly over the others; the longest ones first. */
export function orderTests(files: readonly string[]): string[] {
  const waiting = files.filter((file) => WAITING.test(file));
  waiting.sort((a, b) => Number(LONGEST.test(b)) - Number(LONGEST.test(a)));
  const others = files.filter((file) => !WAITING.test(file));
  const placed = [
    ...waiting.map((file, index) => ({ file, place: index / waiting.length })),
    ...others.map((file, index) => ({ file, place: index / others.length })),
  ];
  return placed.sort((a, b) => a.place - b.place).map(({ file }) => file);
}
