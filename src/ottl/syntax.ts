/** The tree that the parser makes of a text. Columns count from 1, in UTF-16 units of the text. */

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type MathOperator = '+' | '-' | '*' | '/';

export interface LiteralNode {
  readonly form: 'literal';
  /** nil, bool, int, float, string or bytes. */
  readonly value: undefined | boolean | bigint | number | string | Uint8Array;
  readonly column: number;
}

export interface EnumNode {
  readonly form: 'enum';
  readonly name: string;
  readonly column: number;
}

export interface ListNode {
  readonly form: 'list';
  readonly items: readonly ValueNode[];
  readonly column: number;
}

export interface MapNode {
  readonly form: 'map';
  readonly entries: readonly { readonly key: string; readonly value: ValueNode }[];
  readonly column: number;
}

/** What stands in brackets behind a field or a call: a string, an integer, or what yields one. */
export type KeyNode = ValueNode;

export interface FieldNode {
  readonly name: string;
  readonly keys: readonly KeyNode[];
  readonly column: number;
}

export interface PathNode {
  readonly form: 'path';
  /** All segments; whether the first one names a context is for the compiler to say. */
  readonly fields: readonly FieldNode[];
  /** As it was written, without keys. */
  readonly text: string;
  readonly column: number;
}

export interface ArgumentNode {
  readonly name: string | undefined;
  /** A converter without parentheses passes the function itself. */
  readonly value: ValueNode | { readonly form: 'function'; readonly name: string; readonly column: number };
}

export interface CallNode {
  readonly form: 'call';
  readonly name: string;
  readonly args: readonly ArgumentNode[];
  readonly keys: readonly KeyNode[];
  readonly column: number;
}

export interface MathNode {
  readonly form: 'math';
  readonly operator: MathOperator;
  readonly left: ValueNode;
  readonly right: ValueNode;
  readonly column: number;
}

export interface NegateNode {
  readonly form: 'negate';
  readonly operand: ValueNode;
  readonly column: number;
}

export type ValueNode =
  | LiteralNode
  | EnumNode
  | ListNode
  | MapNode
  | PathNode
  | CallNode
  | MathNode
  | NegateNode;

export type BooleanNode =
  | { readonly form: 'constant'; readonly value: boolean }
  | {
      readonly form: 'comparison';
      readonly operator: Comparison;
      readonly left: ValueNode;
      readonly right: ValueNode;
    }
  | { readonly form: 'test'; readonly call: CallNode }
  | { readonly form: 'not'; readonly operand: BooleanNode }
  | { readonly form: 'and' | 'or'; readonly operands: readonly BooleanNode[] };

/** An editor with its condition; nothing compiles editors yet, conditions alone use the rest. */
export interface StatementNode {
  readonly editor: CallNode;
  readonly where: BooleanNode | undefined;
}
