import { Lines, type Position } from './lines.js';
import { EMPTY, END, readPlainMapping, SCALAR, SCALARS, unquoted } from './plain_yaml.js';
import type { Path } from './problem.js';
import { readYaml } from './read_yaml.js';

/** A file read the quick way. */
export interface QuickText {
  /** What {@link readYaml} would give for the same text. */
  readonly value: unknown;
  /** Offset of `services.N.addresses.M` in the text; null for every other path. */
  offset(path: Path): number | null;
  position(offset: number): Position;
}

interface QuickService {
  name?: string;
  addresses?: string[];
  interfaces?: string[];
  nodes?: string[];
}

const LINE = new RegExp(
  String.raw`^(?<indent> *)(?:(?<dash>- )?(?:name: +(?<name>${SCALAR})|(?<list>addresses|interfaces|nodes):(?: +\[ *(?<items>${SCALARS}) *\])?)|- (?<item>${SCALAR}))${END}`,
);
const FIRST_KEY = /^(?:(?: *(?:#.*)?|---)\n)*[a-z]+:/;
const SERVICES = /^services: *(?: #.*)?\n/m;

/**
 * Reads a file whose `services` are a plain list of names, addresses and nodes, one line each or in brackets, as generated files
 * of thousands of services are: about ten times faster than the YAML parser and without its tree. Everything but the
 * services is left to that parser unless it is plain too, and so is the whole text (null) at the first line that is not
 * as plain as that.
 */
export function quickRead(text: string): QuickText | null {
  const heading = SERVICES.exec(text);
  // A block mapping at the root: then nothing that began above can reach over the line "services:".
  if (!heading || !FIRST_KEY.test(text)) return null;
  const start = heading.index + heading[0].length;
  const block = readServices(text, start);
  if (!block) return null;
  const value = readRest(text.slice(0, start) + text.slice(block.end));
  if (value?.services !== null) return null;
  value.services = block.services;
  const lines = new Lines(text);
  return {
    value,
    offset: ([root, service, key, index]) =>
      root === 'services' && key === 'addresses'
        ? (block.addressOffsets[service as number]?.[index as number] ?? null)
        : null,
    position: (offset) => lines.position(offset),
  };
}

/** Everything but the services; null if that is no mapping, or has mistakes. */
function readRest(text: string): Record<string, unknown> | null {
  const plain = readPlainMapping(text);
  if (plain) return plain;
  const { value, mistakes } = readYaml(text);
  return mistakes.length === 0 && typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
}

interface ServicesBlock {
  readonly services: readonly QuickService[];
  readonly addressOffsets: readonly (readonly number[])[];
  /** Offset of the first line behind the services. */
  readonly end: number;
}

function readServices(text: string, start: number): ServicesBlock | null {
  const services: QuickService[] = [];
  const addressOffsets: number[][] = [];
  let itemIndent = -1;
  /** The list that lines with an item belong to, and how far these are indented (-1: the first decides). */
  let open: { list: string[]; offsets: number[]; indent: number } | null = null;
  let offset = start;
  while (offset < text.length) {
    const newline = text.indexOf('\n', offset);
    const lineEnd = newline < 0 ? text.length : newline;
    const line = text.slice(offset, lineEnd);
    if (/^[A-Za-z]/.test(line)) break;
    const lineStart = offset;
    offset = Math.min(lineEnd + 1, text.length);
    const groups = LINE.exec(line)?.groups;
    if (!groups) {
      if (EMPTY.test(line)) continue;
      return null;
    }
    const { dash, name, list, items, item } = groups;
    const indent = groups.indent!.length;
    if (item !== undefined) {
      if (!open || (open.indent >= 0 ? open.indent !== indent : indent < itemIndent + 2)) return null;
      open.indent = indent;
      open.list.push(unquoted(item));
      open.offsets.push(lineStart + indent + 2);
      continue;
    }
    if (open?.list.length === 0) return null;
    open = null;
    if (dash === undefined) {
      if (itemIndent < 0 || indent !== itemIndent + 2) return null;
    } else {
      if (itemIndent < 0) itemIndent = indent;
      if (itemIndent !== indent) return null;
      services.push({});
      addressOffsets.push([]);
    }
    const service = services.at(-1)!;
    if (name !== undefined) {
      if (service.name !== undefined) return null;
      service.name = unquoted(name);
      continue;
    }
    const key = list as 'addresses' | 'interfaces' | 'nodes';
    if (service[key]) return null;
    const values: string[] = [];
    const offsets = key === 'addresses' ? addressOffsets.at(-1)! : [];
    service[key] = values;
    if (items === undefined) {
      open = { list: values, offsets, indent: -1 };
      continue;
    }
    const itemsStart = lineStart + line.indexOf(items, line.indexOf('['));
    for (const match of items.matchAll(/[^ ,]+/g)) {
      values.push(unquoted(match[0]));
      offsets.push(itemsStart + match.index);
    }
  }
  return services.length === 0 || open?.list.length === 0 ? null : { services, addressOffsets, end: offset };
}
