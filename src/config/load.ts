import type { Config } from './config.js';
import { crossMistakes } from './cross_check.js';
import type { Position } from './lines.js';
import { nearest } from './nearest.js';
import type { Positions } from './positions.js';
import { formatPath, type Path, type Problem, sortProblems } from './problem.js';
import { quickRead } from './quick_read.js';
import { readYaml } from './read_yaml.js';
import { configSchema, type FileSchema, fileSchema, type ParsedFile } from './schema.js';

export interface ParseOptions {
  /** The file's name for messages. */
  readonly file: string;
  /** Name of the node where the file gives none: the hostname. */
  readonly defaultNode: string;
}

/** A valid configuration and where its parts stand. `located` holds the text and perhaps its tree: keep only `config`. */
export interface ParsedConfig {
  readonly config: Config;
  readonly located: Located;
}

export interface Located {
  readonly file: string;
  /** Where the value at `path` stands; where it is not given, the nearest thing around it. */
  position(path: Path): Position;
}

export type ParseResult = ParsedConfig | { readonly problems: readonly Problem[] };

/** Reads a configuration file's text. Finds all mistakes, not the first, sorted by place. Throws nothing. */
export function parseConfig(text: string, options: ParseOptions): ParseResult {
  return parseQuickly(text, options) ?? parseWhole(text, options);
}

/** Null unless the text is plain and free of mistakes: to say where one is takes the YAML parser's tree. */
function parseQuickly(text: string, { file, defaultNode }: ParseOptions): ParsedConfig | null {
  const quick = quickRead(text);
  const parsed = quick && configSchema.safeParse(quick.value);
  if (!parsed?.success || crossMistakes(parsed.data, true).length > 0) return null;
  let whole: Positions | null = null;
  const position = (path: Path): Position => {
    const offset = quick!.offset(path);
    if (offset !== null) return quick!.position(offset);
    whole ??= readYaml(text).positions;
    return whole.value(path);
  };
  return { config: toConfig(parsed.data, defaultNode), located: { file, position } };
}

function parseWhole(text: string, { file, defaultNode }: ParseOptions): ParseResult {
  const problems: Problem[] = [];
  const add = (path: Path, message: string, position: Position): void => {
    problems.push({ file, ...position, path: formatPath(path), message });
  };
  const { value, mistakes, positions } = readYaml(text);
  for (const { path, message, position } of mistakes) add(path, message, position);
  if (value === null) add([], 'the file is empty; it needs at least the key services', { line: 1, column: 1 });
  if (value === undefined || value === null) return { problems: sortProblems(problems) };

  const parsed = configSchema.safeParse(value);
  const issues = parsed.error?.issues ?? [];
  const misspelt = new Set<string>();
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const path = issue.path as Path;
    const known = Object.keys(schemaAt(path).properties ?? {});
    for (const key of issue.keys) {
      const meant = nearest(key, known);
      if (meant) misspelt.add(formatPath([...path, meant]));
      const hint = meant ? `did you mean ${meant}?` : `the keys here are ${known.join(', ')}`;
      add([...path, key], `unknown key; ${hint}`, positions.key([...path, key]));
    }
  }
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') continue;
    const path = issue.path as Path;
    // A key that is there under a wrong name is one mistake, not two.
    if (valueAt(value, path) === undefined && misspelt.has(formatPath(path))) continue;
    add(path, issue.message, positions.value(path));
  }
  for (const { path, message, first } of crossMistakes(parsed.data ?? value, parsed.success))
    add(path, first ? `${message} (line ${positions.value(first).line})` : message, positions.value(path));

  if (!parsed.success || problems.length > 0) return { problems: sortProblems(problems) };
  return {
    config: toConfig(parsed.data, defaultNode),
    located: { file, position: (path) => positions.value(path) },
  };
}

function toConfig(parsed: ParsedFile, defaultNode: string): Config {
  return {
    node: parsed.node ?? defaultNode,
    cluster: parsed.cluster,
    interfaces: parsed.interfaces ?? null,
    serve: parsed.serve,
    heartbeat: {
      intervalMs: parsed.heartbeat.interval,
      multiplier: parsed.heartbeat.multiplier,
      keyFile: parsed.heartbeat.key?.file ?? null,
      keys: [],
    },
    status: parsed.status,
    desired: {
      services: parsed.services.map(({ name, addresses, interfaces, nodes, prefer }) => ({
        name,
        addresses,
        interfaces: interfaces ?? null,
        nodes: nodes ?? null,
        prefer: prefer ?? [],
      })),
      probing: parsed.probing,
    },
  };
}

function schemaAt(path: Path): FileSchema {
  let schema = fileSchema();
  for (const step of path) schema = (typeof step === 'number' ? schema.items : schema.properties?.[step]) ?? {};
  return schema;
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const step of path) current = (current as Record<string | number, unknown> | undefined)?.[step];
  return current;
}
