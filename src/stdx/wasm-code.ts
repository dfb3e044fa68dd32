/**
 * WebAssembly written down as nested expressions: as much of it as inner loops over bytes need, for what 64-bit integers
 * make cheaper than JavaScript can. Sections and instructions as in the WebAssembly Core Specification 1.0, chapter 5.
 */

/** Encoded instructions. An expression leaves one value on the stack, a statement none. */
export type Code = readonly number[];

const VOID = 0x40;
const END = 0x0b;
const I32 = 0x7f;
const I64 = 0x7e;
const TYPE_SECTION = 1;
const FUNCTION_SECTION = 3;
const MEMORY_SECTION = 5;
const EXPORT_SECTION = 7;
const CODE_SECTION = 10;

function unsigned(value: number): number[] {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

function signed(value: number): number[] {
  const bytes = [];
  for (; value < -64 || value > 63; value >>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value & 0x7f];
}

const all = (parts: readonly Code[]): Code => parts.flat();
const unary = (opcode: number) => (a: Code) => [...a, opcode];
const binary = (opcode: number) => (a: Code, b: Code) => [...a, ...b, opcode];
const load =
  (opcode: number) =>
  (address: Code, offset = 0) => [...address, opcode, 0, ...unsigned(offset)];
const store =
  (opcode: number) =>
  (address: Code, value: Code, offset = 0) => [...address, ...value, opcode, 0, ...unsigned(offset)];

export const i32 = {
  value: (value: number): Code => [0x41, ...signed(value | 0)],
  load: load(0x28),
  load8: load(0x2d),
  store: store(0x36),
  equal: binary(0x46),
  differ: binary(0x47),
  above: binary(0x4a),
  aboveUnsigned: binary(0x4b),
  atLeast: binary(0x4e),
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  and: binary(0x71),
  or: binary(0x72),
  shl: binary(0x74),
  shr: binary(0x76),
  low: unary(0xa7),
};

export const i64 = {
  load: load(0x29),
  store: store(0x37),
  isZero: unary(0x50),
  trailingZeros: unary(0x7a),
  or: binary(0x84),
  xor: binary(0x85),
  shl: binary(0x86),
  shr: binary(0x88),
  wide: unary(0xad),
};

/** The first when the condition holds; both are computed. */
export const select = (yes: Code, no: Code, condition: Code): Code => [...yes, ...no, ...condition, 0x1b];
/** `leave(0)` inside goes behind it. */
export const block = (...parts: Code[]): Code => [0x02, VOID, ...all(parts), END];
/** `leave(0)` inside goes to its beginning; the end is left by itself. */
export const loop = (...parts: Code[]): Code => [0x03, VOID, ...all(parts), END];
export const when = (condition: Code, ...parts: Code[]): Code => [
  ...condition,
  0x04,
  VOID,
  ...all(parts),
  END,
];
/** @param depth how many blocks, loops and `when`s around it stay inside of the one that is left. */
export const leave = (depth: number): Code => [0x0c, ...unsigned(depth)];
export const leaveIf = (depth: number, condition: Code): Code => [...condition, 0x0d, ...unsigned(depth)];

/** A variable of a function. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

export interface WasmFunction {
  name: string;
  parameterCount: number;
  wideCount: number;
  count: number;
  body: Code;
}

/**
 * @param names of variables of 32 bits, the parameters first, then of those of 64 bits.
 * @param body statements, and the result, of 32 bits, at their end.
 */
export function wasmFunction<P extends string, N extends string, W extends string>(
  name: string,
  names: { parameters: readonly P[]; variables: readonly N[]; wide: readonly W[] },
  body: (locals: Readonly<Record<P | N | W, Local>>) => readonly Code[],
): WasmFunction {
  const order = [...names.parameters, ...names.variables, ...names.wide];
  const locals = Object.fromEntries(
    order.map((local, index) => [
      local,
      { get: [0x20, ...unsigned(index)], set: (value: Code) => [...value, 0x21, ...unsigned(index)] },
    ]),
  ) as unknown as Readonly<Record<P | N | W, Local>>;
  return {
    name,
    parameterCount: names.parameters.length,
    count: names.variables.length,
    wideCount: names.wide.length,
    body: all(body(locals)),
  };
}

const sized = (bytes: Code): Code => [...unsigned(bytes.length), ...bytes];
const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, items: readonly Code[]): Code => [id, ...sized(vector(items))];
const text = (value: string): Code => sized([...value].map((char) => char.charCodeAt(0)));

/** A module that exports the functions and, as `memory`, that many pages of 64 KiB. */
export function wasmModule(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameterCount }) => [
    0x60,
    ...vector(Array.from({ length: parameterCount }, () => [I32])),
    ...vector([[I32]]),
  ]);
  const exported = functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]);
  const bodies = functions.map(({ count, wideCount, body }) =>
    sized([
      ...vector([
        [...unsigned(count), I32],
        [...unsigned(wideCount), I64],
      ]),
      ...body,
      END,
    ]),
  );
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(TYPE_SECTION, types),
    ...section(
      FUNCTION_SECTION,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(MEMORY_SECTION, [[1, ...unsigned(pages), ...unsigned(pages)]]),
    ...section(EXPORT_SECTION, [...exported, [...text('memory'), 2, 0]]),
    ...section(CODE_SECTION, bodies),
  ]);
}
