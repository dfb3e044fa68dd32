/** Random edits of random requests against the same edits of protobufjs objects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import { encodedRequest } from '../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import {
  ITEM_DROP,
  ITEM_EDIT,
  ITEM_KEEP,
  type ItemDecision,
  patchRequest,
  type RequestEditor,
} from './patch-request.ts';
import { scanRequest } from './scan.ts';
import { withoutRejected } from './slice.ts';
import { WireWriter } from './wire-writer.ts';

/** Field 2000, varint 7: an unknown field that marks an edited message. */
const MARK = Uint8Array.of(0x80, 0x7d, 7);

function accepted(signal: Signal, bytes: Uint8Array, index: RequestIndex): Uint8Array {
  scanRequest(signal, bytes, 0, bytes.length, index);
  const good = withoutRejected(signal, bytes, 0, bytes.length, index);
  scanRequest(signal, good, 0, good.length, index);
  return good;
}

class PlannedEditor implements RequestEditor {
  readonly editsResources: boolean;
  readonly #plan: readonly ItemDecision[];
  readonly #bytes: Uint8Array;
  #start = 0;
  #end = 0;
  seen = 0;

  constructor(bytes: Uint8Array, plan: readonly ItemDecision[], editsResources: boolean) {
    this.#bytes = bytes;
    this.#plan = plan;
    this.editsResources = editsResources;
  }

  decide(item: number): ItemDecision {
    return this.#plan[item % this.#plan.length]!;
  }

  decideItem(item: number, start: number, end: number): ItemDecision {
    assert.equal(item, this.seen++);
    this.#start = start;
    this.#end = end;
    return this.decide(item);
  }

  writeItem(writer: WireWriter): void {
    writer.writeRaw(this.#bytes, this.#start, this.#end);
    writer.writeRaw(MARK);
  }

  decideResource(start: number, end: number): boolean {
    this.#start = start;
    this.#end = end;
    return true;
  }

  writeResource(writer: WireWriter): void {
    writer.writeRaw(this.#bytes, this.#start, this.#end);
    // dropped_attributes_count = 77: the last one counts.
    writer.writeRaw(Uint8Array.of(0x10, 77));
  }
}

const decisions = fc.array(fc.constantFrom<ItemDecision>(ITEM_KEEP, ITEM_DROP, ITEM_EDIT), {
  minLength: 1,
  maxLength: 7,
});

for (const signal of SIGNALS) {
  test(`${signal}: what is kept, dropped and edited equals the same on decoded objects`, () => {
    const index = new RequestIndex();
    const property = fc.property(encodedRequest(signal), decisions, fc.boolean(), (bytes, plan, edits) => {
      const good = accepted(signal, bytes, index);
      const itemCount = index.itemCount;
      const editor = new PlannedEditor(good, plan, edits);
      const writer = new WireWriter(16);
      const kept = patchRequest(signal, good, 0, good.length, editor, writer);
      assert.equal(editor.seen, itemCount);
      const before = flattenRequest(signal, good);
      const isSame = before.every((_, item) => editor.decide(item) === ITEM_KEEP);
      if (kept < 0) {
        assert.ok(isSame);
        assert.equal(writer.pos, 0);
        return;
      }
      const expected = before
        .filter((_, item) => editor.decide(item) !== ITEM_DROP)
        .map((flat) =>
          edits
            ? { ...flat, resource: { ...(flat.resource as object), dropped_attributes_count: 77 } }
            : flat,
        );
      const after = flattenRequest(signal, writer.toBytes());
      assert.deepEqual(JSON.parse(JSON.stringify(after)), JSON.parse(JSON.stringify(expected)));
      assert.equal(kept, after.length);
      scanRequest(signal, writer.view(), 0, writer.pos, index);
      assert.equal(index.itemCount, kept);
      const marks = before.filter((_, item) => editor.decide(item) === ITEM_EDIT).length;
      assert.equal(countMarks(writer.view(), index), marks);
    });
    fc.assert(property, { numRuns: 300 });
  });
}

function countMarks(bytes: Uint8Array, index: RequestIndex): number {
  let count = 0;
  for (let item = 0; item < index.itemCount; item++) {
    const end = index.itemEnd[item]!;
    if (MARK.every((byte, i) => bytes[end - MARK.length + i] === byte)) count++;
  }
  return count;
}
