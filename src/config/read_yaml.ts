import type { CST, Document } from 'yaml';
import { duplicateKeys } from './duplicate_keys.js';
import type { Position } from './lines.js';
import { aliasTargets, Positions } from './positions.js';
import type { Path } from './problem.js';
import { yamlParser } from './yaml_parser.js';

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
  const tooDeep = { offset: null as number | null };
  const { Composer } = yamlParser();
  const composer = new Composer({ uniqueKeys: false, logLevel: 'error' });
  const [document, second] = composer.compose(shallowTokens(text, tooDeep), true, text.length) as Iterable<
    Document.Parsed | undefined
  >;
  const positions = new Positions(document!, text);
  const mistakes: YamlMistake[] = [];
  const add = (message: string, offset: number, path: Path = []): void => {
    mistakes.push({ position: positions.atOffset(offset), path, message });
  };
  if (tooDeep.offset !== null) {
    add('YAML: nested too deeply for a configuration', tooDeep.offset);
    return { value: undefined, mistakes, positions };
  }
  // Warnings too: a tag that means nothing here leaves a value that is not what it seems.
  for (const { message, pos } of [...document!.errors, ...document!.warnings]) {
    const open = unclosedAt(document!, text, pos[0], message);
    if (open === null) add(`YAML: ${message}`, pos[0]);
    else add(`YAML: this ${text[open]} is never closed, or what follows is not indented enough`, open);
  }
  if (second) add('YAML: a second document begins here; a configuration is one', second.range[0]);
  for (const [alias, target] of text.includes('*') ? aliasTargets(document!) : [])
    if (!target) add(`YAML: there is no anchor &${alias.source} before this alias`, alias.range?.[0] ?? 0);
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
function* shallowTokens(text: string, tooDeep: { offset: number | null }): Generator<CST.Token> {
  const { Lexer, Parser } = yamlParser();
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_OPEN) {
      tooDeep.offset = parser.offset;
      return;
    }
  }
  yield* parser.end();
}

/**
 * Where the bracket or quote stands whose missing end the parser reports at `offset`, which is where it gave up and
 * often the end of the file; null if the message is about something else.
 */
function unclosedAt(document: Document.Parsed, text: string, offset: number, message: string): number | null {
  const quoted = message.startsWith('Missing closing');
  if (!quoted && !message.startsWith('Flow ')) return null;
  const { isCollection, isScalar, visit } = yamlParser();
  let found: number | null = null;
  visit(document, {
    Node(_, node) {
      const range = node.range;
      if (!range || (range[1] !== offset && range[2] !== offset)) return;
      if (quoted ? isScalar(node) && /["']/.test(text[range[0]]!) : isCollection(node) && node.flow) found = range[0];
    },
  });
  return found;
}
