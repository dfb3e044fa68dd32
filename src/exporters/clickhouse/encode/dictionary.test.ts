import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../../stdx/prng.ts';
import { ByteSink } from './byte-sink.ts';
import { Dictionary } from './dictionary.ts';

function entries(dictionary: Dictionary): string[] {
  const sink = new ByteSink();
  dictionary.appendTo(sink);
  const texts: string[] = [];
  for (let pos = 0; pos < sink.pos; ) {
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = sink.bytes[pos++]!;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    texts.push(Buffer.from(sink.bytes.subarray(pos, pos + size)).toString());
    pos += size;
  }
  return texts;
}

test('an index always names the text it was given for, over growth, order and repetition', () => {
  const seed = 11;
  const random = new Prng(seed);
  const dictionary = new Dictionary();
  for (const distinct of [1, 3, 300, 70_000]) {
    dictionary.reset();
    const given: [string, number][] = [];
    for (let i = 0; i < 100_000; i++) {
      // Half in a fixed sequence, which the predicted successor serves, half at random.
      const number = i % 2 === 0 ? i % distinct : random.nextInt(distinct);
      const text = Buffer.from(number % 7 === 0 ? `${number}`.padStart(200, 'x') : `key-${number}`);
      given.push([text.toString(), dictionary.indexOf(text, 0, text.length)]);
    }
    const texts = entries(dictionary);
    assert.equal(texts.length, dictionary.count);
    for (const [text, index] of given) assert.equal(texts[index], text, `seed ${seed}`);
    // A text that finds no slot in reach is stored again: rare, and only at the price of a second entry.
    const used = new Set(given.map(([text]) => text)).size;
    assert(dictionary.count >= used && dictionary.count < used * 1.05 + 1);
  }
});

test('the empty text and texts that are a prefix of another are different entries', () => {
  const dictionary = new Dictionary();
  const at = (text: string) => dictionary.indexOf(Buffer.from(text), 0, text.length);
  assert.deepEqual([at(''), at('a'), at('ab'), at('a'), at(''), at('ab')], [0, 1, 2, 1, 0, 2]);
});

test('many texts of one hash cost a bounded search each', () => {
  // Goal: hostile keys cannot make a block quadratic. Method: fill the table far beyond the probe limit with
  // texts whose slots coincide, found by trying, and count entries instead of measuring time.
  const dictionary = new Dictionary();
  const colliding: Buffer[] = [];
  for (let i = 0; colliding.length < 100; i++) {
    const text = Buffer.from(`c${i}`);
    if ((hashOf(text) & 255) === 7) colliding.push(text);
  }
  for (let round = 0; round < 3; round++) {
    for (const text of colliding) dictionary.indexOf(text, 0, text.length);
  }
  assert(dictionary.count >= 100 && dictionary.count <= 300);
  assert.deepEqual(new Set(entries(dictionary)), new Set(colliding.map((text) => text.toString())));
});

/** The dictionary's hash, written again from its definition. */
function hashOf(text: Buffer): number {
  let hash = text.length;
  for (const byte of text) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
