/** Values in order, none twice. A change takes a binary search and one move of memory. */
export class SortedList<T> implements Iterable<T> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]();
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  /** The first one after `value`, which need not be in the list. */
  after(value: T): T | undefined {
    const index = this.#lowerBound(value);
    return this.#items[this.#holdsAt(index, value) ? index + 1 : index];
  }

  add(value: T): void {
    const index = this.#lowerBound(value);
    if (!this.#holdsAt(index, value)) this.#items.splice(index, 0, value);
  }

  delete(value: T): void {
    const index = this.#lowerBound(value);
    if (this.#holdsAt(index, value)) this.#items.splice(index, 1);
  }

  #holdsAt(index: number, value: T): boolean {
    return index < this.#items.length && this.#compare(this.#items[index]!, value) === 0;
  }

  #lowerBound(value: T): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#items[middle]!, value) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Orders texts by UTF-16 units: the same everywhere, whatever the locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
