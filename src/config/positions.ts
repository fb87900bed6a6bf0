import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml';
import type { Path } from './problem.js';

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Finds where the parts of a parsed YAML document stand in its text. */
export class Positions {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  /** The value at `path`; where it does not exist, the nearest thing around it that does. */
  value(path: Path): Position {
    return this.atOffset(this.#find(path).offset);
  }

  /** The key that `path` ends with; where it does not exist, as {@link value}. */
  key(path: Path): Position {
    return this.atOffset(this.#find(path).keyOffset);
  }

  atOffset(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    // An empty text has no first line for the counter.
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #find(path: Path): { offset: number; keyOffset: number } {
    let node: unknown = this.#document.contents;
    let offset = startOf(node) ?? 0;
    let keyOffset = offset;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      let next: unknown;
      if (isMap(node)) {
        const pair = node.items.find((item) => keyText(item) === String(step));
        if (!pair) break;
        keyOffset = startOf(pair.key) ?? offset;
        next = pair.value;
      } else if (isSeq(node)) {
        if (typeof step !== 'number' || step >= node.items.length) break;
        next = node.items[step];
        keyOffset = startOf(next) ?? offset;
      } else break;
      offset = startOf(next) ?? keyOffset;
      node = next;
    }
    return { offset, keyOffset };
  }
}

/** A pair's key as plain JavaScript objects have it. */
export function keyText(pair: Pair<unknown, unknown>): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

/** Offset of the first character of a node, null for what is no node of the text. */
export function startOf(node: unknown): number | null {
  return isNode(node) ? ((node as Node).range?.[0] ?? null) : null;
}
