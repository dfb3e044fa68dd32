/** Requests that are waiting for the same flush. Plain arrays of numbers: nothing is allocated per request. */
export class CommitGroup {
  readonly requestIds: number[] = [];
  readonly items: number[] = [];
  readonly rejected: number[] = [];
  /** Monotonic ms of the first append. */
  startedMs = 0;
  readonly #touched: boolean[];

  constructor(logCount: number) {
    this.#touched = new Array<boolean>(logCount).fill(false);
  }

  get count(): number {
    return this.requestIds.length;
  }

  /** False also while a request sits in some of its logs but was refused by another: that one was answered. */
  get isEmpty(): boolean {
    return this.requestIds.length === 0;
  }

  touch(log: number): void {
    this.#touched[log] = true;
  }

  touched(): number[] {
    return this.#touched.flatMap((isTouched, log) => (isTouched ? [log] : []));
  }

  add(requestId: number, itemCount: number, rejectedCount: number): void {
    this.requestIds.push(requestId);
    this.items.push(itemCount);
    this.rejected.push(rejectedCount);
  }
}
