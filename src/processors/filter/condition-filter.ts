/** Drops what the conditions of one group hold for, from the resource down; a dropped parent is not looked into. */
import { PipelineError } from '../../component/errors.ts';
import type { ProcessorRequest } from '../../component/processor.ts';
import type { Signal } from '../../component/signal.ts';
import { FieldCursor } from '../../otlp/levels.ts';
import {
  ITEM_DROP,
  ITEM_EDIT,
  ITEM_KEEP,
  type ItemDecision,
  patchRequest,
  type RequestEditor,
} from '../../otlp/patch-request.ts';
import { TAG_SPAN_EVENTS } from '../../otlp/tags.ts';
import type { WireWriter } from '../../otlp/wire-writer.ts';
import { compileCondition } from '../../ottl/condition.ts';
import { ConditionList, type ErrorMode } from '../../ottl/condition-list.ts';
import { OttlCursor } from '../../ottl/cursor.ts';
import { EvaluationError } from '../../ottl/errors.ts';
import type { OttlContext } from '../../ottl/fields.ts';
import { ItemWalk } from '../helper/item-tags.ts';
import { OutputBuffer } from '../helper/output-buffer.ts';
import type { ConditionGroup } from './condition-config.ts';
import { convertersOf } from './datapoint-converters.ts';

const UNKNOWN = -1;
const FIRST_DROPPED_EVENTS = 16;

export class ConditionFilter implements RequestEditor {
  readonly editsResources = false;
  readonly errorMode: ErrorMode;
  readonly #lists: readonly ConditionList[];
  readonly #resources: ConditionList | undefined;
  readonly #scopes: ConditionList | undefined;
  readonly #metrics: ConditionList | undefined;
  readonly #items: ConditionList | undefined;
  readonly #events: ConditionList | undefined;
  readonly #cursor = new OttlCursor();
  readonly #walk = new ItemWalk();
  readonly #output = new OutputBuffer();
  #isMetrics = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #resource = UNKNOWN;
  #scope = UNKNOWN;
  #metric = UNKNOWN;
  #isResourceDropped = false;
  #isScopeDropped = false;
  #isMetricDropped = false;
  /** Of the span that is being edited: its message, and start and end of each event that goes. */
  #spanStart = 0;
  #spanEnd = 0;
  #droppedCount = 0;
  #dropped = new Uint32Array(FIRST_DROPPED_EVENTS * 2);

  /** @param group that was read without issues. */
  constructor(group: ConditionGroup, errorMode: ErrorMode) {
    this.errorMode = errorMode;
    const lists: ConditionList[] = [];
    const listOf = (context: OttlContext): ConditionList | undefined => {
      const texts = group.conditions.filter((each) => each.context === context).map(({ text }) => text);
      if (texts.length === 0) return undefined;
      const options = { context, converters: convertersOf(context) };
      const list = new ConditionList(
        texts.map((text) => compileCondition(text, options)),
        errorMode,
      );
      lists.push(list);
      return list;
    };
    this.#resources = listOf('resource');
    this.#scopes = listOf('scope');
    this.#metrics = listOf('metric');
    this.#items = listOf('span') ?? listOf('datapoint') ?? listOf('log');
    this.#events = listOf('spanevent');
    this.#lists = lists;
  }

  /** @throws PipelineError permanent when a condition fails in mode `propagate`. */
  process(request: ProcessorRequest): void {
    const { signal, bytes, start, end } = request;
    this.#begin(signal, request);
    const writer = this.#output.next();
    let keptCount: number;
    try {
      keptCount = patchRequest(signal, bytes, start, end, this, writer);
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      throw new PipelineError('EVALUATION_FAILED', error.message, { permanent: true, cause: error });
    }
    if (keptCount >= 0) request.replace(writer.view(), keptCount);
  }

  /** Evaluations that failed so far, and the text of the latest failure. */
  get errors(): { count: number; text: string } {
    let count = 0;
    let text = '';
    for (const list of this.#lists) {
      count += list.errorCount;
      if (list.errorText !== '') text = list.errorText;
    }
    return { count, text };
  }

  #begin(signal: Signal, request: ProcessorRequest): void {
    const index = request.index();
    this.#isMetrics = signal === 'metrics';
    this.#bytes = request.bytes;
    this.#cursor.begin(signal, request.bytes, index);
    this.#walk.begin(signal, index);
    this.#resource = UNKNOWN;
    this.#scope = UNKNOWN;
    this.#metric = UNKNOWN;
  }

  decideItem(item: number, start: number, end: number): ItemDecision {
    const scope = this.#cursor.index.itemScope[item]!;
    if (scope !== this.#scope) this.#enterScope(scope);
    if (this.#isScopeDropped) return ITEM_DROP;
    if (this.#isMetrics) return this.#decidePoint(item);
    if (this.#items === undefined && this.#events === undefined) return ITEM_KEEP;
    this.#cursor.moveToItem(item);
    if (this.#items?.matches(this.#cursor)) return ITEM_DROP;
    return this.#events === undefined ? ITEM_KEEP : this.#decideEvents(start, end);
  }

  #decidePoint(item: number): ItemDecision {
    this.#walk.moveTo(item);
    const { metric } = this.#walk;
    if (metric !== this.#metric) this.#enterMetric(metric);
    if (this.#isMetricDropped) return ITEM_DROP;
    if (this.#items === undefined) return ITEM_KEEP;
    this.#cursor.moveToPoint(item, metric);
    return this.#items.matches(this.#cursor) ? ITEM_DROP : ITEM_KEEP;
  }

  #enterScope(scope: number): void {
    this.#scope = scope;
    const cursor = this.#cursor;
    const resource = cursor.index.scopeResource[scope]!;
    if (resource !== this.#resource) {
      this.#resource = resource;
      cursor.moveToResource(resource);
      this.#isResourceDropped = this.#resources?.matches(cursor) ?? false;
    }
    this.#isScopeDropped = this.#isResourceDropped;
    if (this.#isScopeDropped || this.#scopes === undefined) return;
    cursor.moveToScope(scope);
    this.#isScopeDropped = this.#scopes.matches(cursor);
  }

  #enterMetric(metric: number): void {
    this.#metric = metric;
    this.#isMetricDropped = false;
    if (this.#metrics === undefined) return;
    this.#cursor.moveToMetric(metric);
    this.#isMetricDropped = this.#metrics.matches(this.#cursor);
  }

  #decideEvents(start: number, end: number): ItemDecision {
    this.#droppedCount = 0;
    const fields = new FieldCursor(this.#bytes, start, end);
    let eventIndex = 0;
    while (fields.next()) {
      if (fields.tag !== TAG_SPAN_EVENTS) continue;
      this.#cursor.moveToEvent(eventIndex++, fields.contentStart, fields.fieldEnd);
      if (this.#events!.matches(this.#cursor)) this.#dropEvent(fields.fieldStart, fields.fieldEnd);
    }
    if (this.#droppedCount === 0) return ITEM_KEEP;
    this.#spanStart = start;
    this.#spanEnd = end;
    return ITEM_EDIT;
  }

  #dropEvent(start: number, end: number): void {
    const at = this.#droppedCount++ * 2;
    if (at === this.#dropped.length) {
      const grown = new Uint32Array(at * 2);
      grown.set(this.#dropped);
      this.#dropped = grown;
    }
    this.#dropped[at] = start;
    this.#dropped[at + 1] = end;
  }

  writeItem(writer: WireWriter): void {
    let runStart = this.#spanStart;
    for (let at = 0; at < this.#droppedCount * 2; at += 2) {
      const eventStart = this.#dropped[at]!;
      if (eventStart > runStart) writer.writeRaw(this.#bytes, runStart, eventStart);
      runStart = this.#dropped[at + 1]!;
    }
    if (this.#spanEnd > runStart) writer.writeRaw(this.#bytes, runStart, this.#spanEnd);
  }

  decideResource(): boolean {
    return false;
  }

  writeResource(): void {}
}
