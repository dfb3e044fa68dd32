/**
 * Named points where tests make a thread crash, throw, hang or slow down. Without a plan each point costs one
 * comparison; the plan comes from the environment of the process and is handed to every thread by hand.
 *
 * Plan text: `point=action[:argument][@n]` separated by semicolons; the action happens at the n-th pass (default 1).
 * Actions: `kill` (SIGKILL of the process), `exit` (of the thread), `throw`, `hang`, `delay:ms` (each pass from n on),
 * `stall:ms` (once).
 */
interface Failpoint {
  action: string;
  argument: number;
  atPass: number;
  passes: number;
}

let plan: Map<string, Failpoint> | undefined;

/** Sets this thread's plan. @throws Error when the text cannot be read. */
export function setFailpoints(text: string | undefined): void {
  if (text === undefined || text === '') {
    plan = undefined;
    return;
  }
  plan = new Map();
  for (const entry of text.split(';')) {
    const match = /^([\w.]+)=(kill|exit|throw|hang|delay|stall)(?::(\d+))?(?:@(\d+))?$/.exec(entry.trim());
    if (match === null) throw new Error(`failpoint "${entry}" is not point=action[:argument][@n]`);
    plan.set(match[1]!, {
      action: match[2]!,
      argument: Number(match[3] ?? 0),
      atPass: Number(match[4] ?? 1),
      passes: 0,
    });
  }
}

/** Passes a named point. Call once per batch, never per item. */
export function failpoint(name: string): void {
  if (plan === undefined) return;
  const point = plan.get(name);
  if (point === undefined) return;
  point.passes += 1;
  if (point.action === 'delay') {
    if (point.passes >= point.atPass) blockMs(point.argument);
    return;
  }
  if (point.passes !== point.atPass) return;
  if (point.action === 'stall') return blockMs(point.argument);
  if (point.action === 'kill') process.kill(process.pid, 'SIGKILL');
  if (point.action === 'exit') process.exit(70);
  if (point.action === 'throw') throw new Error(`failpoint ${name}`);
  while (point.action === 'hang') blockMs(1000);
}

function blockMs(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
