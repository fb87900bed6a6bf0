// The YAML parser takes several megabytes, and a plain file is read without it (quick_read.ts): it is loaded when it is
// first needed. By require, because what needs it is not asynchronous.
import { createRequire } from 'node:module';

type YamlParser = typeof import('yaml');

let loaded: YamlParser | null = null;

export function yamlParser(): YamlParser {
  loaded ??= createRequire(import.meta.url)('yaml') as YamlParser;
  return loaded;
}
