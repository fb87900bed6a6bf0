import type { Logger } from '../log.js';

/** Interfaces of this node that hear each other: one of them is used, the next only while it cannot be. */
export class SharedSegments {
  readonly #log: Logger;
  /** The interfaces that each one hears. */
  readonly #heard = new Map<string, Set<string>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  add(one: string, other: string): void {
    if (this.#heard.get(one)?.has(other)) return;
    this.#log.warn(
      { interfaces: [one, other] },
      `${one} and ${other} are on one segment: only the first of them is used; name it alone under interfaces`,
    );
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const)
      this.#heard.set(from, (this.#heard.get(from) ?? new Set()).add(to));
  }

  /** Of the open interfaces, in the node's order, those that share no segment with one before them. */
  usable(open: readonly string[]): Set<string> {
    const usable = new Set<string>();
    for (const name of open) {
      const heard = this.#heard.get(name);
      if (!heard || ![...usable].some((before) => heard.has(before))) usable.add(name);
    }
    return usable;
  }

  warnings(open: readonly string[]): string[] {
    const usable = this.usable(open);
    return open
      .filter((name) => !usable.has(name))
      .map((name) => {
        const before = [...usable].find((other) => this.#heard.get(name)?.has(other));
        return `${name} is on the same segment as ${before}, so it is not used; name only one of them under interfaces`;
      });
  }
}
