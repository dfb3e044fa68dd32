import type { CommandLine } from './options.ts';
export async function runScenarios(_c: CommandLine, _p: (line: string) => void): Promise<boolean> {
  return true;
}
