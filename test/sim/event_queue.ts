/** Something that will happen; set `cancelled` and it will not. */
export interface Timer {
  cancelled: boolean;
}

interface Entry extends Timer {
  readonly timeMs: number;
  /** What was asked for first happens first at the same time. */
  readonly order: number;
  readonly run: () => void;
}

const MAX_AT_ONCE = 200_000;

/** Virtual time: a heap of what will happen. Nothing else moves the clock. */
export class EventQueue {
  nowMs = 0;
  /** How many events have happened. */
  count = 0;
  readonly #heap: Entry[] = [];
  #order = 0;
  #sameTime = 0;

  at(timeMs: number, run: () => void): Timer {
    const entry = { timeMs: Math.max(timeMs, this.nowMs), order: this.#order, run, cancelled: false };
    this.#order += 1;
    this.#push(entry);
    return entry;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.at(this.nowMs + delayMs, run);
  }

  /** Lets everything happen that is due by then. */
  runUntil(untilMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.timeMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      if (next.cancelled) continue;
      if (next.timeMs > this.nowMs) this.#sameTime = 0;
      this.#sameTime += 1;
      // Something is due again and again, at once.
      if (this.#sameTime > MAX_AT_ONCE) throw new Error(`time stands still at ${this.nowMs} ms`);
      this.nowMs = next.timeMs;
      this.count += 1;
      next.run();
    }
    this.nowMs = untilMs;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent]!;
      if (!before(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      const below = heap[child]!;
      if (!before(below, last)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}
