import type { Alias, Document, Node, Pair } from 'yaml';
import { Lines, type Position } from './lines.js';
import type { Path } from './problem.js';
import { yamlParser } from './yaml_parser.js';

/** Finds where the parts of a parsed YAML document stand in its text. */
export class Positions {
  readonly #document: Document.Parsed;
  readonly #lines: Lines;
  #targets: ReadonlyMap<Alias, Node | null> | null = null;

  constructor(document: Document.Parsed, text: string) {
    this.#document = document;
    this.#lines = new Lines(text);
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
    return this.#lines.position(offset);
  }

  #find(path: Path): { offset: number; keyOffset: number } {
    const { isAlias, isMap, isSeq } = yamlParser();
    let node: unknown = this.#document.contents;
    let offset = startOf(node) ?? 0;
    let keyOffset = offset;
    for (const step of path) {
      if (isAlias(node)) {
        this.#targets ??= aliasTargets(this.#document);
        node = this.#targets.get(node);
      }
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

/** What each alias stands for; null: nothing. (Alias.resolve walks the whole document for each.) */
export function aliasTargets(document: Document.Parsed): Map<Alias, Node | null> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node | null>();
  yamlParser().visit(document, {
    Node(_, node) {
      if (node.anchor) anchors.set(node.anchor, node);
    },
    Alias(_, alias) {
      targets.set(alias, anchors.get(alias.source) ?? null);
    },
  });
  return targets;
}

/** A pair's key as plain JavaScript objects have it. */
export function keyText(pair: Pair<unknown, unknown>): string {
  return yamlParser().isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

/** Offset of the first character of a node, null for what is no node of the text. */
export function startOf(node: unknown): number | null {
  return yamlParser().isNode(node) ? ((node as Node).range?.[0] ?? null) : null;
}
