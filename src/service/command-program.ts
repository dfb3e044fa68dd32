/** What commands beside the engine see of the process that runs them. */
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';

export interface CommandProgram {
  /** Behind the word of the command. */
  argv: readonly string[];
  clock: Clock;
  writeOut(text: string): void;
  writeError(text: string): void;
}

/** Of commands that send: they build exporters, and end early. */
export interface SendingProgram extends CommandProgram {
  registry: Registry;
  onSignal(onStop: (signal: string) => void): void;
}
