/** Who this program says it is. */
import { readFileSync } from 'node:fs';

/** Go's names, which receivers of a Collector's requests know. */
const ARCH_NAMES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
const PLATFORM_NAMES: Readonly<Record<string, string>> = { win32: 'windows' };

/** Version of the package that this file belongs to: beside `src`, or two levels above the compiled one. */
export function packageVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string })
        .version;
    } catch {
      // The compiled tree lies one level deeper than the sources.
    }
  }
  return 'unknown';
}

/** `millrace/0.1.0 (linux/amd64)`: what clients send as User-Agent, in the Collector's form. */
export function userAgent(): string {
  const { platform, arch } = process;
  return `millrace/${packageVersion()} (${PLATFORM_NAMES[platform] ?? platform}/${ARCH_NAMES[arch] ?? arch})`;
}
