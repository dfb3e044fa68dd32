/** `include` and `exclude` together, over the items of one request in their order. */
import type { ProcessorRequest } from '../../component/processor.ts';
import type { Signal } from '../../component/signal.ts';
import { ItemWalk } from './item-tags.ts';
import type { MatchCriteria } from './match-config.ts';
import { Matcher } from './matcher.ts';

export interface SelectionConfig {
  include: MatchCriteria | undefined;
  exclude: MatchCriteria | undefined;
}

export class Selection {
  readonly walk = new ItemWalk();
  readonly #include: Matcher | undefined;
  readonly #exclude: Matcher | undefined;
  #signal: Signal = 'traces';

  constructor({ include, exclude }: SelectionConfig) {
    this.#include = include && new Matcher(include);
    this.#exclude = exclude && new Matcher(exclude);
  }

  begin(request: ProcessorRequest): void {
    const index = request.index();
    this.#signal = request.signal;
    this.walk.begin(request.signal, index);
    this.#include?.begin(request.bytes, index);
    this.#exclude?.begin(request.bytes, index);
  }

  /** Whether the item is included and not excluded. Items come in their order. */
  selects(item: number, start: number, end: number): boolean {
    const { walk } = this;
    walk.moveTo(item);
    const include = this.#include;
    if (
      include !== undefined &&
      !include.matches(this.#signal, item, start, end, walk.metric, walk.attributesTag)
    ) {
      return false;
    }
    const exclude = this.#exclude;
    return (
      exclude === undefined ||
      !exclude.matches(this.#signal, item, start, end, walk.metric, walk.attributesTag)
    );
  }
}
