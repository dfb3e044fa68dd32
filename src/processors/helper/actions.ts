/** Runs a list of actions over the attributes of one message. Compiled once for each processor. */
import type { RE2JS } from 're2js';
import {
  type ContextSource,
  contextValues,
  NO_CLIENT_CONTEXT,
  parseContextSource,
} from '../../component/client-context.ts';
import type { ProcessorRequest } from '../../component/processor.ts';
import { ANY_STRING, AnyValueView } from '../../otlp/any-value-view.ts';
import {
  type AttributeSet,
  FROM_COMPUTED,
  FROM_CONSTANTS,
  type ValueRange,
} from '../../otlp/attribute-set.ts';
import { TAG_ANY_STRING_VALUE } from '../../otlp/tags.ts';
import { decodeUtf8 } from '../../otlp/wire-reader.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import { compileRegex, groupNames, RegexList, regexTextEnd } from '../../ottl/regex.ts';
import { type ActionConfig, literalOf } from './action-config.ts';
import { convertValue, hashText } from './action-values.ts';
import type { ConstantRange, Constants } from './constants.ts';

interface CompiledAction {
  readonly action: ActionConfig['action'];
  readonly key: Uint8Array | undefined;
  /** The same key among the constants. */
  readonly keyRange: ConstantRange;
  readonly value: ConstantRange | undefined;
  readonly fromKey: Uint8Array | undefined;
  readonly fromContext: ContextSource | undefined;
  /** What `fromContext` is in the request at hand, as AnyValue; undefined: the client has none of it. */
  contextValue: Uint8Array | undefined;
  readonly defaultValue: ConstantRange | undefined;
  /** Over names, for `delete` and `hash`. */
  readonly namePattern: RegexList | undefined;
  /** For `extract`, with the attributes that its groups become. */
  readonly extractPattern: RE2JS | undefined;
  readonly groups: readonly { key: Uint8Array; keyRange: ConstantRange }[];
  readonly convertedType: ActionConfig['convertedType'];
}

const UTF8 = new TextEncoder();

function compileAction(config: ActionConfig, constants: Constants): CompiledAction {
  const { action, key, value, fromAttribute, fromContext, pattern, defaultValue } = config;
  const isExtract = action === 'extract' && pattern !== undefined;
  return {
    action,
    key: key === undefined ? undefined : UTF8.encode(key),
    keyRange: constants.addText(key ?? ''),
    value: value === undefined ? undefined : constants.addValue(literalOf(value)),
    fromKey: fromAttribute === undefined ? undefined : UTF8.encode(fromAttribute),
    fromContext: fromContext === undefined ? undefined : parseContextSource(fromContext),
    contextValue: undefined,
    defaultValue: defaultValue === undefined ? undefined : constants.addValue(literalOf(defaultValue)),
    namePattern: pattern === undefined || isExtract ? undefined : new RegexList([pattern]),
    extractPattern: isExtract ? compileRegex(pattern) : undefined,
    groups: isExtract
      ? groupNames(pattern).map((name) => ({
          key: UTF8.encode(name ?? ''),
          keyRange: constants.addText(name ?? ''),
        }))
      : [],
    convertedType: config.convertedType,
  };
}

export class ActionList {
  readonly #actions: readonly CompiledAction[];
  readonly #computed: WireWriter;
  readonly #value = new AnyValueView();
  readonly #range: ValueRange = { source: 0, start: 0, end: 0 };
  #client = NO_CLIENT_CONTEXT;

  /**
   * @param constants gets the keys and literals; the sets that are edited must be made with its bytes.
   * @param computed the same writer that these sets have.
   */
  constructor(configs: readonly ActionConfig[], constants: Constants, computed: WireWriter) {
    this.#actions = configs.map((config) => compileAction(config, constants));
    this.#computed = computed;
  }

  /** Call it with each request, before its first `apply`. */
  begin({ client = NO_CLIENT_CONTEXT }: ProcessorRequest): void {
    if (client === this.#client) return;
    this.#client = client;
    for (const action of this.#actions) {
      if (action.fromContext === undefined) continue;
      const values = contextValues(client, action.fromContext);
      action.contextValue = values === undefined ? undefined : encodeText(values.join(';'));
    }
  }

  /** Runs all actions in their order; `set.isChanged` tells whether anything came of it. */
  apply(set: AttributeSet): void {
    for (const action of this.#actions) {
      switch (action.action) {
        case 'insert':
        case 'update':
        case 'upsert':
          this.#put(set, action);
          break;
        case 'delete':
          if (action.key !== undefined) deleteKey(set, action.key);
          if (action.namePattern !== undefined) deleteMatching(set, action.namePattern);
          break;
        case 'hash':
          this.#hash(set, action);
          break;
        case 'extract':
          this.#extract(set, action);
          break;
        case 'convert':
          this.#convert(set, action);
      }
    }
  }

  #put(set: AttributeSet, action: CompiledAction): void {
    const entry = set.find(action.key!);
    if (entry >= 0 ? action.action === 'insert' : action.action === 'update') return;
    const range = this.#range;
    if (!this.#findValue(set, action, range)) return;
    if (entry < 0) {
      set.add(action.keyRange.start, action.keyRange.end, range.source, range.start, range.end);
      return;
    }
    set.replace(entry, range.source, range.start, range.end);
    set.removeTwins(action.key!, entry);
  }

  #findValue(set: AttributeSet, action: CompiledAction, range: ValueRange): boolean {
    let constant = action.value;
    if (action.fromKey !== undefined) {
      const from = set.find(action.fromKey);
      if (from >= 0) {
        set.valueRange(from, range);
        return true;
      }
      constant = action.defaultValue;
    }
    if (action.contextValue !== undefined) {
      range.source = FROM_COMPUTED;
      range.start = this.#computed.pos;
      this.#computed.writeRaw(action.contextValue);
      range.end = this.#computed.pos;
      return true;
    }
    if (action.fromContext !== undefined) constant = action.defaultValue;
    if (constant === undefined) return false;
    range.source = FROM_CONSTANTS;
    range.start = constant.start;
    range.end = constant.end;
    return true;
  }

  #hash(set: AttributeSet, action: CompiledAction): void {
    const named = action.key === undefined ? -1 : set.find(action.key);
    if (named >= 0) {
      this.#hashEntry(set, named);
      set.removeTwins(action.key!, named);
    }
    if (action.namePattern === undefined) return;
    for (let entry = 0; entry < set.count; entry++) {
      if (entry !== named && hasName(set, entry, action.namePattern)) this.#hashEntry(set, entry);
    }
  }

  #hashEntry(set: AttributeSet, entry: number): void {
    set.readValue(entry, this.#value);
    const start = this.#computed.pos;
    this.#computed.writeStringField(TAG_ANY_STRING_VALUE, hashText(this.#value));
    set.replace(entry, FROM_COMPUTED, start, this.#computed.pos);
  }

  #extract(set: AttributeSet, action: CompiledAction): void {
    const entry = set.find(action.key!);
    if (entry < 0) return;
    const value = this.#value;
    set.readValue(entry, value);
    if (value.kind !== ANY_STRING) return;
    const end = regexTextEnd(value.bytes, value.start, value.end);
    const matcher = action.extractPattern!.matcher(decodeUtf8(value.bytes, value.start, end));
    if (!matcher.find()) return;
    const computed = this.#computed;
    for (const [index, { key, keyRange }] of action.groups.entries()) {
      const start = computed.pos;
      computed.writeStringField(TAG_ANY_STRING_VALUE, matcher.group(index + 1) ?? '');
      const target = set.find(key);
      if (target < 0) set.add(keyRange.start, keyRange.end, FROM_COMPUTED, start, computed.pos);
      else {
        set.replace(target, FROM_COMPUTED, start, computed.pos);
        set.removeTwins(key, target);
      }
    }
  }

  #convert(set: AttributeSet, action: CompiledAction): void {
    const entry = set.find(action.key!);
    if (entry < 0) return;
    set.readValue(entry, this.#value);
    const start = this.#computed.pos;
    if (!convertValue(this.#value, action.convertedType!, this.#computed)) return;
    set.replace(entry, FROM_COMPUTED, start, this.#computed.pos);
    set.removeTwins(action.key!, entry);
  }
}

/** @param text bytes of a header, which need not be UTF-8 though texts of OTLP must be. */
function encodeText(text: string): Uint8Array {
  const writer = new WireWriter();
  writer.writeStringField(TAG_ANY_STRING_VALUE, Buffer.from(text, 'latin1').toString('utf8'));
  return writer.toBytes();
}

function deleteKey(set: AttributeSet, key: Uint8Array): void {
  const entry = set.find(key);
  if (entry < 0) return;
  set.remove(entry);
  set.removeTwins(key, entry);
}

function hasName(set: AttributeSet, entry: number, pattern: RegexList): boolean {
  if (set.isRemoved(entry)) return false;
  return pattern.matches(set.keyBytes(entry), set.keyStart(entry), set.keyEnd(entry));
}

function deleteMatching(set: AttributeSet, pattern: RegexList): void {
  for (let entry = 0; entry < set.count; entry++) if (hasName(set, entry, pattern)) set.remove(entry);
}
