import { Composer, type CST, type Document, Lexer, LineCounter, Parser, visit } from 'yaml';
import { duplicateKeys } from './duplicate_keys.js';
import { type Position, Positions } from './positions.js';
import type { Path } from './problem.js';

/** Collections and their items that are open at one place. A text of 10,000 brackets would exhaust the composer's stack. */
const MAX_OPEN = 128;
/** Uses of anchors: enough for one in each of 10,000 services, too few for a file that unfolds without end. */
const MAX_ALIAS_COUNT = 100_000;

/** A mistake in the YAML itself. */
export interface YamlMistake {
  readonly position: Position;
  /** Empty unless it is about a key. */
  readonly path: Path;
  readonly message: string;
}

export interface YamlText {
  /** The text as plain data; undefined if the mistakes are such that it means nothing. */
  readonly value: unknown;
  readonly mistakes: readonly YamlMistake[];
  readonly positions: Positions;
}

/** Reads one YAML document. Throws nothing. */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const tooDeep = { offset: null as number | null };
  const composer = new Composer({ uniqueKeys: false, logLevel: 'error' });
  const [document, second] = composer.compose(shallowTokens(text, lines, tooDeep), true, text.length) as Iterable<
    Document.Parsed | undefined
  >;
  const positions = new Positions(document!, lines);
  const mistakes: YamlMistake[] = [];
  const add = (message: string, offset: number, path: Path = []): void => {
    mistakes.push({ position: positions.atOffset(offset), path, message });
  };
  if (tooDeep.offset !== null) {
    add('YAML: nested too deeply for a configuration', tooDeep.offset);
    return { value: undefined, mistakes, positions };
  }
  // Warnings too: a tag that means nothing here leaves a value that is not what it seems.
  for (const { message, pos } of [...document!.errors, ...document!.warnings]) add(`YAML: ${message}`, pos[0]);
  if (second) add('YAML: a second document begins here; a configuration is one', second.range[0]);
  const alias = unresolvedAlias(document!);
  if (alias) add(`YAML: there is no anchor &${alias.name} before this alias`, alias.offset);
  if (mistakes.length > 0) return { value: undefined, mistakes, positions };

  for (const { path, offset, firstOffset } of duplicateKeys(document!.contents))
    add(`this key is given twice (first on line ${positions.atOffset(firstOffset).line})`, offset, path);
  try {
    return { value: document!.toJS({ maxAliasCount: MAX_ALIAS_COUNT }), mistakes, positions };
  } catch (error) {
    add(`YAML: ${(error as Error).message}`, 0);
    return { value: undefined, mistakes, positions };
  }
}

/** The tokens of the text; none once it nests too deeply, where `tooDeep` gets the offset. */
function* shallowTokens(text: string, lines: LineCounter, tooDeep: { offset: number | null }): Generator<CST.Token> {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_OPEN) {
      tooDeep.offset = parser.offset;
      return;
    }
  }
  yield* parser.end();
}

function unresolvedAlias(document: Document.Parsed): { name: string; offset: number } | null {
  let found: { name: string; offset: number } | null = null;
  visit(document, {
    Alias(_, node) {
      if (node.resolve(document)) return undefined;
      found = { name: node.source, offset: node.range?.[0] ?? 0 };
      return visit.BREAK;
    },
  });
  return found;
}
