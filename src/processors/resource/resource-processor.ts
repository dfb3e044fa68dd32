import type { Processor, ProcessorRequest } from '../../component/processor.ts';
import { AttributeSet } from '../../otlp/attribute-set.ts';
import { ITEM_KEEP, type ItemDecision, patchRequest, type RequestEditor } from '../../otlp/patch-request.ts';
import { TAG_RESOURCE_ATTRIBUTES } from '../../otlp/tags.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import { ActionList } from '../helper/actions.ts';
import { Constants } from '../helper/constants.ts';
import { OutputBuffer } from '../helper/output-buffer.ts';
import type { ResourceConfig } from './config.ts';

/** Edits the attributes of every resource; items are copied as they are. */
export class ResourceProcessor implements Processor, RequestEditor {
  readonly editsResources = true;
  readonly #actions: ActionList;
  readonly #set: AttributeSet;
  readonly #output = new OutputBuffer();
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(config: ResourceConfig) {
    const constants = new Constants();
    const computed = new WireWriter();
    this.#actions = new ActionList(config.attributes ?? [], constants, computed);
    this.#set = new AttributeSet(constants.toBytes(), computed);
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  process(request: ProcessorRequest): void {
    this.#bytes = request.bytes;
    this.#actions.begin(request);
    const writer = this.#output.next();
    const { signal, bytes, start, end } = request;
    const itemCount = patchRequest(signal, bytes, start, end, this, writer);
    if (itemCount >= 0) request.replace(writer.view(), itemCount);
  }

  decideItem(): ItemDecision {
    return ITEM_KEEP;
  }

  writeItem(): void {}

  decideResource(start: number, end: number): boolean {
    this.#set.load(this.#bytes, start, end, TAG_RESOURCE_ATTRIBUTES);
    this.#actions.apply(this.#set);
    return this.#set.isChanged;
  }

  writeResource(writer: WireWriter): void {
    this.#set.write(writer);
  }
}
