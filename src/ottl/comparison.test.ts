/** Every operator over every pair of types, from the rules of the language. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, type Plain, pairs } from './ottl.test-peer.ts';

const OPERATORS = ['==', '!=', '<', '<=', '>', '>='] as const;

/** One value of each type, as an attribute holds it and as a condition writes it. */
const SAMPLES: Record<string, { value: Plain; literal: string }> = {
  nil: { value: null, literal: 'nil' },
  bool: { value: true, literal: 'true' },
  int: { value: 5, literal: '5' },
  float: { value: { $double: 5 }, literal: '5.0' },
  string: { value: 'b', literal: '"b"' },
  bytes: { value: Uint8Array.of(1, 2), literal: '0x0102' },
  map: { value: { k: 1 }, literal: '{"k": 1}' },
  list: { value: [1, 'a'], literal: '[1, "a"]' },
};
const TYPES = Object.keys(SAMPLES);

/** What equal values answer: of maps and lists only their equality is known. */
const EQUAL: Record<string, boolean> = {
  '==': true,
  '!=': false,
  '<': false,
  '<=': true,
  '>': false,
  '>=': true,
};
const EQUAL_CONTAINERS = { ...EQUAL, '<=': false, '>=': false };
const DIFFERENT: Record<string, boolean> = {
  '==': false,
  '!=': true,
  '<': false,
  '<=': false,
  '>': false,
  '>=': false,
};

function expected(left: string, right: string): Record<string, boolean> {
  const isNumber = (type: string) => type === 'int' || type === 'float';
  if (left !== right && !(isNumber(left) && isNumber(right))) return DIFFERENT;
  return left === 'map' || left === 'list' ? EQUAL_CONTAINERS : EQUAL;
}

test('each type against each type: attributes with literals, literals with attributes, attributes with attributes', () => {
  for (const left of TYPES) {
    for (const right of TYPES) {
      const place = { span: { attributes: pairs({ l: SAMPLES[left]!.value, r: SAMPLES[right]!.value }) } };
      for (const operator of OPERATORS) {
        const wanted = expected(left, right)[operator];
        for (const [a, b] of [
          ['attributes["l"]', 'attributes["r"]'],
          ['attributes["l"]', SAMPLES[right]!.literal],
          [SAMPLES[left]!.literal, 'attributes["r"]'],
          [SAMPLES[left]!.literal, SAMPLES[right]!.literal],
        ]) {
          assert.equal(
            answer(`${a} ${operator} ${b}`, place),
            wanted,
            `${left} ${operator} ${right}: ${a}, ${b}`,
          );
        }
      }
    }
  }
});

test('order within each type', () => {
  const ordered: Record<string, readonly string[]> = {
    int: [
      '-9223372036854775807',
      '-4294967296',
      '-1',
      '0',
      '1',
      '4294967295',
      '4294967296',
      '9007199254740993',
      '9223372036854775807',
    ],
    float: ['-1.5', '-0.5', '0.0', '0.25', '1.0', '1.5'],
    bool: ['false', 'true'],
    // By UTF-8 bytes: U+FFFD is below U+1F600, whose UTF-16 form begins lower.
    string: ['""', '"A"', '"a"', '"aa"', '"b"', '"\\u00e9"', '"\\ufffd"', '"\\U0001f600"'],
    bytes: ['0x00', '0x01', '0x0100', '0xff'],
    time: ['Unix(-5)', 'Unix(0)', 'Unix(1, 1)', 'Unix(1700000000)'],
    duration: ['Duration("-1h")', 'Duration("1ns")', 'Duration("1s")', 'Duration("1h")'],
  };
  for (const [type, values] of Object.entries(ordered)) {
    values.forEach((left, at) => {
      values.forEach((right, other) => {
        assert.equal(answer(`${left} < ${right}`, { span: {} }), at < other, `${type}: ${left} < ${right}`);
        assert.equal(
          answer(`${left} >= ${right}`, { span: {} }),
          at >= other,
          `${type}: ${left} >= ${right}`,
        );
      });
    });
    if (type === 'time' || type === 'duration') continue;
    // The same through attributes, which are compared on their bytes.
    const plain = (text: string): Plain => {
      if (type === 'string') return JSON.parse(text.replace('\\U0001f600', '\u{1f600}'));
      if (type === 'bool') return text === 'true';
      if (type === 'bytes') return Buffer.from(text.slice(2), 'hex');
      return type === 'int' ? BigInt(text) : { $double: Number(text) };
    };
    values.forEach((left, at) => {
      const place = { span: { attributes: pairs({ l: plain(left) }) } };
      values.forEach((right, other) => {
        assert.equal(answer(`attributes["l"] < ${right}`, place), at < other, `${type}: ${left} < ${right}`);
        assert.equal(
          answer(`${right} <= attributes["l"]`, place),
          other <= at,
          `${type}: ${right} <= ${left}`,
        );
      });
    });
  }
});

test('ints and floats compare as floats, NaN with nothing', () => {
  const nan = { span: { attributes: pairs({ n: { $double: Number.NaN }, i: 2n ** 53n + 1n }) } };
  for (const operator of OPERATORS)
    assert.equal(answer(`attributes["n"] ${operator} 1`, nan), operator === '!=', operator);
  assert.equal(answer('attributes["i"] == 9007199254740992.0', nan), true);
  assert.equal(answer('attributes["i"] == 9007199254740992', nan), false);
});

test('no bytes are nil', () => {
  const place = { span: { attributes: pairs({ b: new Uint8Array(0) }) } };
  assert.equal(answer('attributes["b"] == nil', place), true);
  assert.equal(answer('attributes["b"] < 0x01', place), false);
});

test('arithmetic', () => {
  const cases: [string, boolean | string][] = [
    ['1 + 2 * 3 == 7', true],
    ['(1 + 2) * 3 == 9', true],
    ['7 / 2 == 3 and -7 / 2 == -3', true],
    ['7.0 / 2.0 == 3.5', true],
    ['1 + 1.5 == 2.5', true],
    ['9223372036854775807 + 1 < 0', true],
    ['1 / 0 == 1', 'error: division by zero'],
    ['1.0 / 0.0 == 1.0', 'error: division by zero'],
    ['1 + attributes["none"] == 1', 'error: "+" does not go with int and nil'],
    ['Unix(5) - Unix(3) == Duration("2s")', true],
    ['Unix(5) + Duration("2s") == Unix(7) and Duration("2s") + Unix(5) == Unix(7)', true],
    ['Unix(5) - Duration("2s") == Unix(3)', true],
    ['Duration("2s") - Duration("3s") == Duration("-1s")', true],
    ['Unix(5) + Unix(3) == 1', 'error: "+" does not go with time and time'],
    ['Duration("2s") * 2 == 4', 'error: "*" does not go with duration and int'],
    ['-(-(3)) == 3', true],
  ];
  for (const [text, wanted] of cases) assert.equal(answer(text, { span: {} }), wanted, text);
});
