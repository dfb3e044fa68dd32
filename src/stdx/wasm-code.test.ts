import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  block,
  i32,
  leave,
  leaveIf,
  loop,
  select,
  type WasmFunction,
  wasmFunction,
  wasmModule,
  when,
} from './wasm-code.ts';

declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

function run(...functions: WasmFunction[]): Record<string, (...numbers: number[]) => number> {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasmModule(functions, 1)));
  return exports as Record<string, (...numbers: number[]) => number>;
}

test('constants of every length arrive', () => {
  for (const value of [
    0,
    1,
    63,
    64,
    127,
    128,
    8191,
    8192,
    2 ** 31 - 1,
    -1,
    -64,
    -65,
    -8193,
    -(2 ** 31),
    0x9e3779b1,
  ]) {
    const { give } = run(
      wasmFunction('give', { parameters: [], variables: [], wide: [] }, () => [i32.value(value)]),
    );
    assert.equal(give!(), value | 0);
  }
});

test('loops, conditions and memory work together', () => {
  const sum = wasmFunction(
    'sum',
    { parameters: ['to'], variables: ['at', 'total'], wide: [] },
    ({ to, at, total }) => [
      block(
        loop(
          leaveIf(1, i32.atLeast(at.get, to.get)),
          at.set(i32.add(at.get, i32.value(1))),
          when(i32.equal(i32.and(at.get, i32.value(1)), i32.value(1)), leave(1)),
          total.set(i32.add(total.get, at.get)),
          leave(0),
        ),
      ),
      i32.store(i32.value(8), total.get, 300),
      i32.load(i32.value(308)),
    ],
  );
  const larger = wasmFunction('larger', { parameters: ['a', 'b'], variables: [], wide: [] }, ({ a, b }) => [
    select(a.get, b.get, i32.above(a.get, b.get)),
  ]);
  const functions = run(sum, larger);
  assert.equal(functions.sum!(10), 30);
  assert.equal(functions.larger!(-3, 2), 2);
  assert.equal(functions.larger!(7, 2), 7);
});
