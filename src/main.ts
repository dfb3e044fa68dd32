#!/usr/bin/env node
/** Entry of the program: the only file that may read the environment of the process or end it. */
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';

// Each log holds a thread of libuv's pool while it flushes, and name lookups share that pool. It is made at its first
// use, so this stands before everything else is loaded. (Node 20 has used it by now: there the shell must set it.)
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(16, 4 * availableParallelism()));

// What sockets read lies outside of V8's heap and counts against its limit, which follows the few objects inside: without
// this, a thread that reads 100 MB a second from HTTP/2 goes through its whole heap eight times a second (docs/adr/0018).
setFlagsFromString('--heap-growing-percent=300');

const { runProgram } = await import('./service/program.ts');
const { systemClock } = await import('./stdx/clock.ts');

// A closed terminal must not stop the engine while it stops.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

let isSignalled = false;
const exitCode = await runProgram({
  argv: process.argv.slice(2),
  clock: systemClock,
  failpoints: process.env.MILLRACE_FAILPOINTS,
  writeOut: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  onSignal: (onStop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        isSignalled = true;
        onStop(signal);
      });
    }
  },
  onReload: (onReload) => process.on('SIGHUP', onReload),
});
// A pipe takes 64 KiB at once, and exit() throws away what its reader has not taken. A stop waits for no reader.
if (!isSignalled) {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve));
  }
}
process.exit(exitCode);
