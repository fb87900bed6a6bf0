import { keyText, startOf } from './positions.js';
import type { Path } from './problem.js';
import { yamlParser } from './yaml_parser.js';

/** A key that its mapping has already, and where both stand in the text. */
export interface DuplicateKey {
  readonly path: Path;
  readonly offset: number;
  readonly firstOffset: number;
}

/**
 * Keys that become one in JavaScript: the parser's own check lets `1` and `"1"` pass, and names neither the path nor the
 * first one.
 */
export function duplicateKeys(node: unknown, path: Path = []): DuplicateKey[] {
  const { isMap, isSeq } = yamlParser();
  const found: DuplicateKey[] = [];
  if (isSeq(node))
    node.items.forEach((item, index) => {
      for (const duplicate of duplicateKeys(item, [...path, index])) found.push(duplicate);
    });
  if (!isMap(node)) return found;
  const first = new Map<string, number>();
  for (const pair of node.items) {
    const key = keyText(pair);
    const offset = startOf(pair.key) ?? 0;
    const firstOffset = first.get(key);
    if (firstOffset === undefined) first.set(key, offset);
    else found.push({ path: [...path, key], offset, firstOffset });
    for (const duplicate of duplicateKeys(pair.value, [...path, key])) found.push(duplicate);
  }
  return found;
}
