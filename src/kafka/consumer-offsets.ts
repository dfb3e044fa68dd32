/** What of one partition was taken, what of it is not done yet, and up to where a commit may go. */
export class PartitionOffsets {
  readonly topic: string;
  readonly partition: number;
  /** The group may have given the partition to somebody else: what is still in flight is of no consequence then. */
  isOurs = true;
  /** Nothing more of it is read until a record that could not be stored was. */
  isHeld = false;
  /** Behind the last record that was taken; undefined before the first. */
  #nextOffset: number | undefined;
  #committedOffset: number | undefined;
  /** Offsets in the order in which they were taken, which is ascending. */
  readonly #inFlight = new Set<number>();

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get nextOffset(): number | undefined {
    return this.#nextOffset;
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /** @param offset larger than those taken before, unless the broker has lost records. */
  take(offset: number): void {
    this.#inFlight.add(offset);
    this.#nextOffset = offset + 1;
  }

  /** The record was refused after all: it is the next one again. */
  giveBack(offset: number): void {
    this.#inFlight.delete(offset);
    this.#nextOffset = offset;
  }

  /** Steps over what holds no record for us, such as the ends of transactions. */
  passTo(nextOffset: number): void {
    this.#nextOffset = nextOffset;
  }

  /** The record is stored, or was given up for good. */
  finish(offset: number): void {
    this.#inFlight.delete(offset);
  }

  /** Offset behind everything that is done; undefined when it was committed already, or nothing was taken. */
  get committable(): number | undefined {
    const first = this.#inFlight.values().next();
    const offset = first.done === true ? this.#nextOffset : first.value;
    return offset === this.#committedOffset ? undefined : offset;
  }

  committed(offset: number): void {
    this.#committedOffset = offset;
  }
}
