import type { Processor, ProcessorRequest } from '../../component/processor.ts';
import { AttributeSet } from '../../otlp/attribute-set.ts';
import {
  ITEM_EDIT,
  ITEM_KEEP,
  type ItemDecision,
  patchRequest,
  type RequestEditor,
} from '../../otlp/patch-request.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import { ActionList } from '../helper/actions.ts';
import { Constants } from '../helper/constants.ts';
import { OutputBuffer } from '../helper/output-buffer.ts';
import { Selection } from '../helper/selection.ts';
import type { AttributesConfig } from './config.ts';

/** Edits the attributes of the selected spans, log records and data points. */
export class AttributesProcessor implements Processor, RequestEditor {
  readonly editsResources = false;
  readonly #selection: Selection;
  readonly #actions: ActionList;
  readonly #set: AttributeSet;
  readonly #output = new OutputBuffer();
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(config: AttributesConfig) {
    this.#selection = new Selection(config);
    const constants = new Constants();
    const computed = new WireWriter();
    this.#actions = new ActionList(config.actions ?? [], constants, computed);
    this.#set = new AttributeSet(constants.toBytes(), computed);
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  process(request: ProcessorRequest): void {
    this.#selection.begin(request);
    this.#actions.begin(request);
    this.#bytes = request.bytes;
    const writer = this.#output.next();
    const { signal, bytes, start, end } = request;
    const itemCount = patchRequest(signal, bytes, start, end, this, writer);
    if (itemCount >= 0) request.replace(writer.view(), itemCount);
  }

  decideItem(item: number, start: number, end: number): ItemDecision {
    const selection = this.#selection;
    if (!selection.selects(item, start, end)) return ITEM_KEEP;
    this.#set.load(this.#bytes, start, end, selection.walk.attributesTag);
    this.#actions.apply(this.#set);
    return this.#set.isChanged ? ITEM_EDIT : ITEM_KEEP;
  }

  writeItem(writer: WireWriter): void {
    this.#set.write(writer);
  }

  decideResource(): boolean {
    return false;
  }

  writeResource(): void {}
}
