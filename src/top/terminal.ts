/** The process's own terminal, or the pipe in its place. */
import type { TopTerminal } from './top.ts';

/** @param onStop calls back when the process is asked to end. */
export function processTerminal(onStop: (stop: () => void) => void): TopTerminal {
  const { stdin, stdout, stderr } = process;
  const isTerminal = stdout.isTTY === true;
  return {
    isTerminal,
    // 0 by 0 is what a terminal without a size says.
    get columns() {
      return stdout.columns || 80;
    },
    get rows() {
      return stdout.rows || 24;
    },
    write: (text) => void stdout.write(text),
    writeError: (text) => void stderr.write(text),
    listen: (onKey) => {
      onStop(() => onKey('q'));
      // Nobody reads any more, `| head` for example.
      stdout.on('error', () => onKey('q'));
      if (!isTerminal || stdin.isTTY !== true) return () => undefined;
      const onData = (data: Buffer) => {
        for (const key of data.toString()) onKey(key);
      };
      stdin.setRawMode(true);
      stdin.on('data', onData);
      return () => {
        stdin.off('data', onData);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
  };
}
