/**
 * Reads the text of a condition, or of a statement, into its tree. What names mean is not looked at here.
 *
 *     statement  = call [ "where" boolean ]
 *     boolean    = term { "or" term }           term = atom { "and" atom }
 *     atom       = [ "not" ] ( comparison | call | "true" | "false" | "(" boolean ")" )
 *     comparison = value operator value
 *     value      = "nil" | math | bytes | string | boolean | enum | map | list
 *     math       = product { ("+" | "-") product }    product = operand { ("*" | "/") operand }
 */
import { OttlSyntaxError, syntaxError } from './errors.ts';
import type {
  ArgumentNode,
  BooleanNode,
  CallNode,
  Comparison,
  FieldNode,
  KeyNode,
  MapNode,
  MathOperator,
  PathNode,
  StatementNode,
  ValueNode,
} from './syntax.ts';
import { type Token, tokenize } from './tokenizer.ts';

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
const KEYWORDS: ReadonlySet<string> = new Set(['nil', 'not', 'or', 'and', 'true', 'false']);
const NESTING_MAX = 100;
const INT_MAX = 2n ** 63n - 1n;

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  statement(): StatementNode {
    const token = this.#peek();
    if (token.kind !== 'lower' && token.kind !== 'camel') throw this.#expected('an editor');
    this.#at++;
    const editor = this.#call(token);
    let where: BooleanNode | undefined;
    if (this.#isWord('where')) {
      this.#at++;
      where = this.#boolean();
    }
    this.#expectEnd();
    return { editor, where };
  }

  condition(): BooleanNode {
    const node = this.#boolean();
    this.#expectEnd();
    return node;
  }

  value(): ValueNode {
    const node = this.#value();
    this.#expectEnd();
    return node;
  }

  #boolean(): BooleanNode {
    return this.#joined('or', () => this.#joined('and', () => this.#atom()));
  }

  #joined(word: 'and' | 'or', read: () => BooleanNode): BooleanNode {
    const first = read();
    if (!this.#isWord(word)) return first;
    const operands = [first];
    while (this.#isWord(word)) {
      this.#at++;
      operands.push(read());
    }
    return { form: word, operands };
  }

  #atom(): BooleanNode {
    if (this.#isWord('not')) {
      this.#at++;
      return { form: 'not', operand: this.#positiveAtom() };
    }
    return this.#positiveAtom();
  }

  #positiveAtom(): BooleanNode {
    const start = this.#at;
    const depth = this.#depth;
    let failure: unknown;
    let failedAt = start;
    try {
      const left = this.#value();
      const token = this.#peek();
      if (token.kind === 'symbol' && COMPARISONS.has(token.text)) {
        this.#at++;
        const right = this.#value();
        return { form: 'comparison', operator: token.text as Comparison, left, right };
      }
      if (left.form === 'call') return { form: 'test', call: left };
      if (left.form === 'literal' && typeof left.value === 'boolean') {
        return { form: 'constant', value: left.value };
      }
      failure = this.#expected('a comparison (a path or value alone is no condition)');
      failedAt = this.#at;
    } catch (error) {
      if (!(error instanceof OttlSyntaxError)) throw error;
      failure = error;
      failedAt = this.#at;
    }
    // A parenthesis opens arithmetic or a condition; only what is behind it tells.
    this.#at = start;
    this.#depth = depth;
    if (!this.#isSymbol('(')) throw failure;
    try {
      this.#enter();
      this.#at++;
      const inner = this.#boolean();
      this.#expect(')');
      this.#depth--;
      return inner;
    } catch (error) {
      throw this.#at >= failedAt ? error : failure;
    }
  }

  #value(): ValueNode {
    this.#enter();
    const node = this.#plainValue();
    this.#depth--;
    return node;
  }

  #plainValue(): ValueNode {
    const token = this.#peek();
    const { column } = token;
    switch (token.kind) {
      case 'bytes':
        this.#at++;
        if (token.text.length % 2 !== 0) throw syntaxError('bytes need an even number of digits', column);
        return { form: 'literal', value: bytesOfHex(token.text), column };
      case 'string':
        this.#at++;
        return { form: 'literal', value: token.text, column };
      case 'upper':
        if (this.#isSymbol('(', 1)) break;
        this.#at++;
        return { form: 'enum', name: token.text, column };
      case 'lower':
        if (token.text === 'nil' || token.text === 'true' || token.text === 'false') {
          this.#at++;
          const value = token.text === 'nil' ? undefined : token.text === 'true';
          return { form: 'literal', value, column };
        }
        break;
      case 'symbol':
        if (token.text === '[') return { form: 'list', items: this.#list(), column };
        if (token.text === '{') return this.#map();
        break;
    }
    return this.#math();
  }

  #math(): ValueNode {
    let left = this.#product();
    while (this.#isSymbol('+') || this.#isSymbol('-')) {
      const { text, column } = this.#next();
      left = { form: 'math', operator: text as MathOperator, left, right: this.#product(), column };
    }
    return left;
  }

  #product(): ValueNode {
    let left = this.#operand();
    while (this.#isSymbol('*') || this.#isSymbol('/')) {
      const { text, column } = this.#next();
      left = { form: 'math', operator: text as MathOperator, left, right: this.#operand(), column };
    }
    return left;
  }

  #operand(): ValueNode {
    const sign = this.#peek();
    if (sign.kind !== 'symbol' || (sign.text !== '-' && sign.text !== '+')) return this.#unsigned(false);
    this.#at++;
    const isNegative = sign.text === '-';
    const operand = this.#unsigned(isNegative);
    if (!isNegative) return operand;
    if (operand.form === 'literal' && typeof operand.value === 'number') {
      return { ...operand, value: -operand.value };
    }
    if (operand.form === 'literal' && typeof operand.value === 'bigint') {
      return { ...operand, value: -operand.value };
    }
    return { form: 'negate', operand, column: sign.column };
  }

  #unsigned(isNegated: boolean): ValueNode {
    const token = this.#peek();
    const { column, text } = token;
    if (this.#isSymbol('(')) {
      this.#enter();
      this.#at++;
      const inner = this.#math();
      this.#expect(')');
      this.#depth--;
      return inner;
    }
    switch (token.kind) {
      case 'float':
        this.#at++;
        return { form: 'literal', value: Number(text), column };
      case 'int': {
        this.#at++;
        const value = BigInt(text);
        if (value > (isNegated ? INT_MAX + 1n : INT_MAX))
          throw syntaxError(`${text} is over 64 bits`, column);
        return { form: 'literal', value, column };
      }
      case 'upper':
      case 'mixed':
        this.#at++;
        if (!this.#isSymbol('(')) throw this.#expected(`"(" behind "${text}"`);
        return this.#call(token);
      case 'lower':
      case 'camel':
        if (KEYWORDS.has(text)) break;
        if (this.#isSymbol('(', 1)) {
          throw syntaxError(`editor "${text}" cannot stand here: only converters yield a value`, column);
        }
        return this.#path();
    }
    throw this.#expected('a value');
  }

  #path(): PathNode {
    const { column } = this.#peek();
    const fields: FieldNode[] = [];
    do {
      if (fields.length > 0) this.#at++;
      const token = this.#peek();
      if (token.kind !== 'lower') throw this.#expected('a lower-case name');
      this.#at++;
      fields.push({ name: token.text, keys: this.#keys(), column: token.column });
    } while (this.#isSymbol('.'));
    return { form: 'path', fields, text: fields.map(({ name }) => name).join('.'), column };
  }

  #keys(): KeyNode[] {
    const keys: KeyNode[] = [];
    while (this.#isSymbol('[')) {
      this.#enter();
      this.#at++;
      const token = this.#peek();
      if (token.kind === 'string') {
        this.#at++;
        keys.push({ form: 'literal', value: token.text, column: token.column });
      } else keys.push(this.#math());
      this.#expect(']');
      this.#depth--;
    }
    return keys;
  }

  /** Behind the name. */
  #call(name: Token): CallNode {
    this.#expect('(');
    const args: ArgumentNode[] = [];
    while (!this.#isSymbol(')')) {
      if (args.length > 0) this.#expect(',');
      args.push(this.#argument());
    }
    this.#at++;
    return { form: 'call', name: name.text, args, keys: this.#keys(), column: name.column };
  }

  #argument(): ArgumentNode {
    let name: string | undefined;
    const token = this.#peek();
    if ((token.kind === 'lower' || token.kind === 'camel') && this.#isSymbol('=', 1)) {
      name = token.text;
      this.#at += 2;
    }
    const value = this.#peek();
    if (value.kind === 'mixed' && !this.#isSymbol('(', 1)) {
      this.#at++;
      return { name, value: { form: 'function', name: value.text, column: value.column } };
    }
    if (this.#isSymbol('(') && this.#isLambda())
      throw syntaxError('lambdas are not supported yet', value.column);
    return { name, value: this.#value() };
  }

  #isLambda(): boolean {
    let ahead = 1;
    while (this.#peekAt(ahead).kind === 'lower' || this.#isSymbol(',', ahead)) ahead++;
    return this.#isSymbol(')', ahead) && this.#isSymbol('=>', ahead + 1);
  }

  #list(): ValueNode[] {
    this.#expect('[');
    const items: ValueNode[] = [];
    while (!this.#isSymbol(']')) {
      if (items.length > 0) this.#expect(',');
      items.push(this.#value());
    }
    this.#at++;
    return items;
  }

  #map(): MapNode {
    const { column } = this.#peek();
    this.#expect('{');
    const entries: { key: string; value: ValueNode }[] = [];
    while (!this.#isSymbol('}')) {
      if (entries.length > 0) this.#expect(',');
      const key = this.#next();
      if (key.kind !== 'string') throw syntaxError('a key of a map is a text in quotes', key.column);
      this.#expect(':');
      entries.push({ key: key.text, value: this.#value() });
    }
    this.#at++;
    return { form: 'map', entries, column };
  }

  #enter(): void {
    this.#depth++;
    if (this.#depth > NESTING_MAX) throw syntaxError('nested too deeply', this.#peek().column);
  }

  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  #peekAt(ahead: number): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]!;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  #isSymbol(text: string, ahead = 0): boolean {
    const token = this.#peekAt(ahead);
    return token.kind === 'symbol' && token.text === text;
  }

  #isWord(text: string): boolean {
    const token = this.#peek();
    return token.kind === 'lower' && token.text === text;
  }

  #expect(text: string): void {
    if (!this.#isSymbol(text)) throw this.#expected(`"${text}"`);
    this.#at++;
  }

  #expectEnd(): void {
    if (this.#peek().kind !== 'end') throw this.#expected('the end, "and" or "or"');
  }

  #expected(what: string): OttlSyntaxError {
    const { kind, text, column } = this.#peek();
    return syntaxError(`expected ${what}, got ${kind === 'end' ? 'the end' : JSON.stringify(text)}`, column);
  }
}

function bytesOfHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(text.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}

/** @throws OttlSyntaxError with the column. */
export function parseCondition(text: string): BooleanNode {
  return new Parser(text).condition();
}

/** @throws OttlSyntaxError with the column. */
export function parseStatement(text: string): StatementNode {
  return new Parser(text).statement();
}

/** A value alone, which arguments of converters outside of conditions are. @throws OttlSyntaxError */
export function parseValue(text: string): ValueNode {
  return new Parser(text).value();
}
