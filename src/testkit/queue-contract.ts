/**
 * Contract kit of the log: random command sequences against an implementation and a list of what was committed.
 * The crash keeps what files would keep; payloads carry the ordinal of their first item, so content proves position.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BatchBoundary, LogCursor, LogReader, LogWriter } from '../queue/log/contract.ts';

export interface OpenLog {
  writer: LogWriter;
  reader: LogReader;
  cursor: LogCursor;
}

export interface LogHarness {
  /** Opens on what was left by close or crash. */
  open(): Promise<OpenLog>;
  /** Ends the handles as kill -9 would; the next open() sees what was on disk. */
  crash(log: OpenLog): Promise<void>;
  /** Moves the cursor back while nothing is open; only logs that retain everything have it. */
  rewind?(ordinal: number): Promise<void>;
  dispose(): Promise<void>;
}

type Command =
  | { kind: 'append'; items: number; padBytes: number; context?: string | undefined }
  | { kind: 'commit'; mayBlock: boolean }
  | { kind: 'read'; at: number }
  | { kind: 'freeze'; items: number }
  | { kind: 'finish'; which: number }
  | { kind: 'reopen' }
  | { kind: 'crash' }
  | { kind: 'rewind'; at: number; isCrash: boolean };

const commandArbitrary: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      items: fc.integer({ min: 1, max: 50 }),
      padBytes: fc.integer({ min: 0, max: 30_000 }),
      context: fc.option(fc.constantFrom('a', 'bb', 'c'.repeat(5000)), { nil: undefined, freq: 2 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('commit' as const), mayBlock: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('freeze' as const), items: fc.integer({ min: 1, max: 80 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('finish' as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('rewind' as const),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      isCrash: fc.boolean(),
    }),
  },
);

/** Records that are full are stored early by some logs; before the commit a crash may take them all the same. */
const CRASH_WITH_FULL_RECORDS: Command[] = [
  { kind: 'append', items: 1, padBytes: 13_560 },
  { kind: 'append', items: 1, padBytes: 25_408 },
  { kind: 'append', items: 1, padBytes: 26_521 },
  { kind: 'crash' },
  { kind: 'append', items: 1, padBytes: 0 },
];

interface Entry {
  first: number;
  end: number;
  payload: Buffer;
  context: string | undefined;
}

/** What must be true, kept in the simplest form. */
class Model {
  committed: Entry[] = [];
  pending: Entry[] = [];
  end = 0;
  cursorOrdinal = 0;
  generation = 0;
  frozen: BatchBoundary[] = [];
  finishedEarly = new Set<BatchBoundary>();

  get committedEnd(): number {
    return this.committed.at(-1)?.end ?? 0;
  }

  finish(boundary: BatchBoundary): void {
    this.finishedEarly.add(boundary);
    while (this.frozen[0] !== undefined && this.finishedEarly.has(this.frozen[0])) {
      this.cursorOrdinal = this.frozen[0].end;
      this.frozen.shift();
    }
  }

  get frozenEnd(): number {
    return this.frozen.at(-1)?.end ?? this.cursorOrdinal;
  }

  get open(): BatchBoundary[] {
    return this.frozen.filter((boundary) => !this.finishedEarly.has(boundary));
  }
}

function createPayload(first: number, padBytes: number): Buffer {
  const payload = Buffer.alloc(16 + padBytes, first & 0xff);
  payload.writeDoubleLE(first, 0);
  payload.writeUInt32LE(padBytes, 8);
  return payload;
}

async function runCommand(command: Command, log: OpenLog, model: Model): Promise<void> {
  switch (command.kind) {
    case 'append': {
      const first = log.writer.appendedOrdinal;
      const payload = createPayload(first, command.padBytes);
      const { items, context } = command;
      const encoded = context === undefined ? undefined : Buffer.from(context);
      if (!log.writer.tryAppend(payload, items, 1, false, encoded)) return;
      model.pending.push({ first, end: first + items, payload: Buffer.from(payload), context });
      // The writer promised to have copied it.
      payload.fill(0xee);
      model.end = first + command.items;
      assert.equal(log.writer.appendedOrdinal, model.end);
      return;
    }
    case 'commit':
      await log.writer.commit(command.mayBlock);
      model.committed.push(...model.pending);
      model.pending = [];
      assert.equal(log.reader.endOrdinal(), log.writer.appendedOrdinal);
      return;
    case 'read':
      checkRead(log, model, command.at);
      return;
    case 'freeze': {
      const first = log.cursor.frozenEnd;
      assert.equal(first, model.frozenEnd);
      const end = Math.min(first + command.items, model.committedEnd);
      if (end <= first) return;
      await log.cursor.freeze([{ first, end }]);
      model.frozen.push({ first, end });
      assert.deepEqual(log.cursor.frozen, model.open);
      return;
    }
    case 'finish': {
      const boundary = model.open[command.which % Math.max(1, model.open.length)];
      if (boundary === undefined) return;
      log.cursor.finish({ ...boundary });
      model.finish(boundary);
      assert.equal(log.cursor.ordinal, model.cursorOrdinal);
      assert.deepEqual(log.cursor.frozen, model.open);
      return;
    }
    default:
      throw new Error(`not a command of one session: ${command.kind}`);
  }
}

/** Reads one record at a random unreleased ordinal and compares every request in it. */
function checkRead(log: OpenLog, model: Model, at: number): void {
  const from = Math.floor(model.cursorOrdinal + at * (model.committedEnd - model.cursorOrdinal));
  const record = log.reader.readRecord(from);
  const expected = model.committed.find((entry) => entry.end > from);
  if (expected === undefined) {
    assert.equal(record, undefined);
    return;
  }
  assert.ok(record !== undefined && !record.damaged, `no record at ${from}`);
  assert.ok(record.firstOrdinal <= Math.max(from, expected.first) && record.endOrdinal > from);
  let byteStart = 0;
  let itemStart = 0;
  for (const [index, byteEnd] of record.entryEnds.entries()) {
    const first: number = record.firstOrdinal + itemStart;
    const entry: Entry | undefined = model.committed.find((candidate) => candidate.first === first);
    assert.ok(entry !== undefined, `unknown request at ${first}`);
    itemStart = record.entryItemEnds[index] as number;
    assert.equal(record.firstOrdinal + itemStart, entry.end);
    assert.deepEqual(Buffer.from(record.payload.subarray(byteStart, byteEnd)), entry.payload);
    byteStart = byteEnd;
    const context: Uint8Array | undefined = record.contexts?.[(record.entryContexts?.[index] ?? 0) - 1];
    assert.equal(context === undefined ? undefined : Buffer.from(context).toString(), entry.context);
  }
  assert.equal(byteStart, record.payload.byteLength);
  assert.equal(record.firstOrdinal + itemStart, record.endOrdinal);
}

/** Everything committed and not released is readable from the cursor on, in order, once. */
function checkAll(log: OpenLog, model: Model): void {
  let ordinal = model.cursorOrdinal;
  const seen: number[] = [];
  for (
    let record = log.reader.readRecord(ordinal);
    record !== undefined;
    record = log.reader.readRecord(ordinal)
  ) {
    assert.equal(record.damaged, false);
    assert.ok(record.endOrdinal > ordinal);
    let start = record.firstOrdinal;
    for (const itemEnd of record.entryItemEnds) {
      if (record.firstOrdinal + itemEnd > model.cursorOrdinal) seen.push(start);
      start = record.firstOrdinal + itemEnd;
    }
    ordinal = record.endOrdinal;
  }
  const expected = model.committed
    .filter((entry) => entry.end > model.cursorOrdinal)
    .map((entry) => entry.first);
  assert.deepEqual(seen, expected);
}

/** Everything is there from the new position on, and nothing of what was under way before is remembered. */
async function rewind(
  command: { at: number; isCrash: boolean },
  log: OpenLog,
  harness: LogHarness,
  model: Model,
): Promise<OpenLog> {
  const next = await restart(command.isCrash ? 'crash' : 'reopen', log, harness, model);
  if (harness.rewind === undefined) return next;
  for (const part of [next.reader, next.cursor, next.writer]) await part.close();
  const ordinal = Math.floor(command.at * model.cursorOrdinal);
  await harness.rewind(ordinal);
  model.cursorOrdinal = ordinal;
  model.generation += 1;
  model.frozen = [];
  model.finishedEarly = new Set();
  const rewound = await harness.open();
  assert.equal(rewound.reader.beginOrdinal(), 0, 'a log that retains everything gave something up');
  assert.equal(rewound.cursor.ordinal, ordinal);
  assert.equal(rewound.cursor.frozenEnd, ordinal);
  assert.deepEqual(rewound.cursor.frozen, []);
  assert.equal(rewound.cursor.generation, model.generation);
  checkAll(rewound, model);
  return rewound;
}

async function restart(
  kind: 'reopen' | 'crash',
  log: OpenLog,
  harness: LogHarness,
  model: Model,
): Promise<OpenLog> {
  if (kind === 'reopen') {
    await log.reader.close();
    await log.cursor.close();
    await log.writer.close();
    model.committed.push(...model.pending);
  } else {
    await harness.crash(log);
  }
  const before = model.cursorOrdinal;
  const frozenBefore = model.open;
  const frozenEndBefore = model.frozenEnd;
  model.pending = [];
  const next = await harness.open();
  assert.ok(next.writer.appendedOrdinal >= model.committedEnd, 'an ordinal would be given out twice');
  // A crash may lose moves of the cursor, never a frozen boundary that is not finished.
  if (kind === 'reopen') assert.equal(next.cursor.ordinal, before);
  else assert.ok(next.cursor.ordinal <= before);
  for (const boundary of frozenBefore) {
    assert.ok(next.cursor.frozen.some((kept) => kept.first === boundary.first && kept.end === boundary.end));
  }
  // Otherwise items of a batch that finished early would be sent again under another batch's boundaries.
  assert.equal(next.cursor.frozenEnd, frozenEndBefore);
  assert.equal(next.cursor.generation, model.generation);
  adoptCursor(next.cursor, model);
  checkAll(next, model);
  return next;
}

/** The model follows a cursor that lost moves: finished batches stay finished where the cursor still knows it. */
function adoptCursor(cursor: LogCursor, model: Model): void {
  model.cursorOrdinal = cursor.ordinal;
  const open = cursor.frozen.map((boundary) => ({ ...boundary }));
  // What lies between and behind the open ones was finished early; one stand-in each keeps the model's prefix rule.
  model.frozen = [];
  model.finishedEarly = new Set();
  let position = cursor.ordinal;
  for (const boundary of [...open, { first: cursor.frozenEnd, end: cursor.frozenEnd }]) {
    if (boundary.first > position) {
      const gap = { first: position, end: boundary.first };
      model.frozen.push(gap);
      model.finishedEarly.add(gap);
    }
    if (boundary.end > boundary.first) model.frozen.push(boundary);
    position = boundary.end;
  }
}

/** Runs the kit; `numRuns` sequences of up to 40 commands. fast-check prints the seed of a failure. */
export function testLogContract(
  name: string,
  createHarness: () => Promise<LogHarness>,
  numRuns: number,
): void {
  test(`${name}: random commands agree with a list of what was committed`, async () => {
    // Goal: order, content, durability and boundaries under any interleaving, crash and reopen included.
    await fc.assert(
      fc.asyncProperty(fc.array(commandArbitrary, { maxLength: 40 }), async (commands) => {
        const harness = await createHarness();
        const model = new Model();
        let log = await harness.open();
        try {
          for (const command of commands) {
            if (command.kind === 'reopen' || command.kind === 'crash') {
              log = await restart(command.kind, log, harness, model);
            } else if (command.kind === 'rewind') {
              log = await rewind(command, log, harness, model);
            } else {
              await runCommand(command, log, model);
            }
          }
          await log.writer.commit();
          model.committed.push(...model.pending);
          checkAll(log, model);
        } finally {
          await log.reader.close();
          await log.cursor.close();
          await log.writer.close();
          await harness.dispose();
        }
      }),
      { examples: [[CRASH_WITH_FULL_RECORDS]], numRuns },
    );
  });

  test(`${name}: a reader waits without a thread and wakes at the commit`, async () => {
    const harness = await createHarness();
    const log = await harness.open();
    assert.equal(await log.reader.waitBeyond(log.reader.endOrdinal(), 20), false);
    const end = log.reader.endOrdinal();
    const waiting = log.reader.waitBeyond(end, 5_000);
    assert.equal(log.writer.tryAppend(Buffer.from('request'), 1, 1), true);
    await log.writer.commit();
    assert.equal(await waiting, true);
    const closing = log.reader.waitBeyond(end + 10, 5_000);
    await log.reader.close();
    assert.equal(await closing, false);
    await log.cursor.close();
    await log.writer.close();
    await harness.dispose();
  });

  test(`${name}: closing twice is closing once`, async () => {
    const harness = await createHarness();
    const log = await harness.open();
    for (let round = 0; round < 2; round++) {
      await log.reader.close();
      await log.cursor.close();
      await log.writer.close();
    }
    assert.equal(log.writer.tryAppend(Buffer.from('late'), 1, 1), false);
    await harness.dispose();
  });
}
