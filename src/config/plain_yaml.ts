// The plainest part of YAML, by regular expression: texts that can be read in one way only.

// A word that YAML takes for nothing but a string, an absolute path, an IPv4 address, perhaps with a port, an IPv6
// address that no ":" begins or ends, or a quoted text without escapes.
export const SCALAR = String.raw`(?!(?:[Nn]ull|NULL|[Tt]rue|TRUE|[Ff]alse|FALSE)(?![\w./-]))[A-Za-z][\w./-]*|\/[\w./-]+|\d+(?:\.\d+){3}(?::\d+)?|[\dA-Fa-f]+:[\dA-Fa-f:]*[\dA-Fa-f]|"[\w.:/-]*"|'[\w.:/-]*'`;
export const SCALARS = `(?:${SCALAR})(?:, *(?:${SCALAR}))*`;
/** What may follow on a line. */
export const END = ' *(?: #.*)?$';
/** A line that says nothing. */
export const EMPTY = /^ *(?:#.*)?$/;

const KEY = new RegExp(
  String.raw`^(?<indent>(?:  )?)(?!(?:null|true|false):)(?<key>[a-z]+):(?: +(?:(?<scalar>${SCALAR})|\[ *(?<items>${SCALARS}) *\]))?${END}`,
);

/**
 * Reads a mapping of scalars, of lists in brackets and of such mappings, whose keys are indented by two; a key may also
 * have nothing. Null for every other text.
 */
export function readPlainMapping(text: string): Record<string, unknown> | null {
  const mapping: Record<string, unknown> = {};
  /** The last key of the root. */
  let parent: string | null = null;
  for (const line of text.replace(/^---\n/, '').split('\n')) {
    const groups = KEY.exec(line)?.groups;
    if (!groups) {
      if (EMPTY.test(line)) continue;
      return null;
    }
    const key = groups.key!;
    const value = plainValue(groups.scalar, groups.items);
    let target = mapping;
    if (groups.indent === '') parent = key;
    else {
      if (parent === null || value === null) return null;
      mapping[parent] ??= {};
      const above = mapping[parent];
      if (typeof above !== 'object' || Array.isArray(above)) return null;
      target = above as Record<string, unknown>;
    }
    if (Object.hasOwn(target, key)) return null;
    target[key] = value;
  }
  return mapping;
}

function plainValue(scalar: string | undefined, items: string | undefined): string | string[] | null {
  if (scalar !== undefined) return unquoted(scalar);
  return items === undefined ? null : Array.from(items.matchAll(/[^ ,]+/g), ([item]) => unquoted(item));
}

export function unquoted(scalar: string): string {
  return scalar[0] === '"' || scalar[0] === "'" ? scalar.slice(1, -1) : scalar;
}
