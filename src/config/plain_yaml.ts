// The plainest part of YAML, by regular expression: texts that can be read in one way only.

// A word that YAML takes for nothing but a string, an absolute path, an IPv4 address, perhaps with a port, an IPv6
// address that no ":" begins or ends, a duration, or a quoted text without escapes.
export const SCALAR = String.raw`(?!(?:[Nn]ull|NULL|[Tt]rue|TRUE|[Ff]alse|FALSE)(?![\w./-]))[A-Za-z][\w./-]*|\/[\w./-]+|\d+(?:\.\d+){3}(?::\d+)?|[\dA-Fa-f]+:[\dA-Fa-f:]*[\dA-Fa-f]|\d+m?s|"[\w.:/-]*"|'[\w.:/-]*'`;
export const SCALARS = `(?:${SCALAR})(?:, *(?:${SCALAR}))*`;
/** Mappings within each other, the root among them. */
const MAX_DEPTH = 3;
/** What may follow on a line. */
export const END = ' *(?: #.*)?$';
/** A line that says nothing. */
export const EMPTY = /^ *(?:#.*)?$/;

const KEY = new RegExp(
  String.raw`^(?<indent>(?:  ){0,${MAX_DEPTH - 1}})(?!(?:null|true|false):)(?<key>[a-z]+):(?: +(?:(?<scalar>${SCALAR})|(?<number>0|[1-9]\d{0,8})|\[ *(?<items>${SCALARS}) *\]))?${END}`,
);

interface Open {
  readonly parent: Record<string, unknown>;
  readonly key: string;
}

/**
 * Reads a mapping of scalars, of lists in brackets and of such mappings, whose keys are indented by two each; a key may
 * also have nothing. Null for every other text.
 */
export function readPlainMapping(text: string): Record<string, unknown> | null {
  const mapping: Record<string, unknown> = {};
  /** The last key of each depth. */
  const open: Open[] = [];
  for (const line of text.replace(/^---\n/, '').split('\n')) {
    const groups = KEY.exec(line)?.groups;
    if (!groups) {
      if (EMPTY.test(line)) continue;
      return null;
    }
    const key = groups.key!;
    const depth = groups.indent!.length / 2;
    if (depth > open.length) return null;
    const target = depth === 0 ? mapping : inside(open[depth - 1]!);
    if (!target || Object.hasOwn(target, key)) return null;
    target[key] = plainValue(groups);
    open.length = depth;
    open.push({ parent: target, key });
  }
  return mapping;
}

/** The mapping that the key has; null if it has something else already. */
function inside({ parent, key }: Open): Record<string, unknown> | null {
  parent[key] ??= {};
  const value = parent[key];
  return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

function plainValue({ scalar, number, items }: Record<string, string | undefined>): unknown {
  if (scalar !== undefined) return unquoted(scalar);
  if (number !== undefined) return Number(number);
  return items === undefined ? null : Array.from(items.matchAll(/[^ ,]+/g), ([item]) => unquoted(item));
}

export function unquoted(scalar: string): string {
  return scalar[0] === '"' || scalar[0] === "'" ? scalar.slice(1, -1) : scalar;
}
