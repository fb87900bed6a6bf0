// Rules that reviewers should not have to watch: layering, includes, sizes, leftovers.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const IGNORED = new Set(['.git', 'node_modules', 'build', 'dist', 'prebuilds', '.cache', 'coverage']);
const MAX_LINES = 500;
const BINARY = /\.(png|jpg|ico|gz|tgz)$|^test\/fuzz\/corpus\//;

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (IGNORED.has(entry.name) || entry.name.endsWith('.log')) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [relative(ROOT, path)];
  });
}

const FILES = walk(ROOT).filter((path) => !BINARY.test(path));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const filesOf = (pattern: RegExp) => FILES.filter((path) => pattern.test(path));

/** Lines that match, as `path:line: text`; the assertion shows all of them at once. */
function occurrences(paths: string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function importsOf(path: string): Import[] {
  const text = read(path).replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const found: Import[] = [];
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s+)?(?:([^;'"]*?)\s+from\s+)?'([^']+)'/gm)) {
    const names = /^\{([^}]*)\}$/.exec(match[2]?.trim() ?? '')?.[1]?.split(',');
    const allTypes = names?.every((name) => name.trim() === '' || name.trim().startsWith('type '));
    found.push({ from: path, to: match[3]!, typeOnly: match[1] !== undefined || allTypes === true });
  }
  for (const match of text.matchAll(/\bimport\('([^']+)'\)/g)) {
    found.push({ from: path, to: match[1]!, typeOnly: false });
  }
  return found;
}

/** `sources/file` for src/sources/file/watch.ts, `errors` for src/errors.ts. */
function moduleOf(path: string): string {
  const [first = '', second = ''] = relative('src', path)
    .replace(/\.[jt]s$/, '')
    .split('/');
  return first === 'sources' ? `${first}/${second}` : first;
}

const PURE = new Set([
  ...['net', 'desired', 'config', 'speaker', 'claim', 'table', 'placement', 'ownership', 'membership'],
  ...['metallb', 'allocation', 'eligibility'],
]);
const COMMON = new Set(['net', 'errors', 'log', 'clock', 'version']);
/** Functions, not only types, that a module may take from another beyond the rule. */
const EXTRA: Record<string, readonly string[]> = {
  // The core is put together here.
  speaker: ['desired', 'claim', 'table', 'placement', 'ownership', 'membership'],
  // Claims are judged by who is there, and fall to whom placement names; a fence waits for the end of a table.
  ownership: ['membership', 'placement', 'table'],
  // The file source is the shell around the parser of its format.
  'sources/file': ['config'],
  // Selectors and ranges of addresses are read in one place.
  allocation: ['metallb'],
  eligibility: ['metallb'],
  // Shells around the API server, and around what is decided about its objects.
  'sources/kubernetes': ['kubernetes', 'eligibility', 'metallb'],
  records: ['kubernetes'],
  controller: ['kubernetes', 'allocation', 'metallb'],
};

function brokenRule({ from, to, typeOnly }: Import): string | null {
  const module = moduleOf(from);
  const pure = PURE.has(module);
  // node:module loads code only when it is needed; that decides nothing.
  if (to.startsWith('node:')) return pure && to !== 'node:module' ? 'a pure module does no I/O' : null;
  if (!to.startsWith('.') || module === 'cli') return null;
  const target = join(dirname(from), to);
  const targetModule = moduleOf(target);
  if (targetModule === module || EXTRA[module]?.includes(targetModule)) return null;
  if (targetModule === 'speaker') return 'only cli knows the speaker';
  // Boundary types are plain data.
  if (typeOnly && (PURE.has(targetModule) || target.endsWith('/types.js'))) return null;
  if (pure) return targetModule === 'net' ? null : 'a pure module imports only types of pure modules, and net';
  if (COMMON.has(module)) return COMMON.has(targetModule) ? null : `${module} stands below all other modules`;
  return COMMON.has(targetModule) ? null : 'a shell imports only net, errors, log, clock and types';
}

test('imports follow the layers of ARCHITECTURE.md', () => {
  const imports = filesOf(/^src\/.*\.ts$/).flatMap(importsOf);
  assert.ok(imports.length > 20, 'the imports were not found');
  const broken = imports.flatMap((entry) => {
    const rule = brokenRule(entry);
    return rule === null ? [] : [`${entry.from} imports ${entry.to}: ${rule}`];
  });
  assert.deepEqual(broken, []);
});

test('the layer rules see what they forbid', () => {
  const rule = (from: string, to: string, typeOnly = false) => brokenRule({ from, to, typeOnly }) !== null;
  assert.ok(rule('src/speaker.ts', './responder/responder.js'));
  assert.ok(rule('src/table/table.ts', 'node:fs'));
  assert.ok(rule('src/serve/serve.ts', '../status/server.js'));
  assert.ok(rule('src/status/model.ts', '../speaker.js', true));
  assert.ok(rule('src/config/load.ts', '../desired/desired.js'));
  assert.ok(!rule('src/config/load.ts', '../desired/desired.js', true));
  assert.ok(!rule('src/cli/run.ts', '../speaker.js'));
  assert.ok(!rule('src/status/model.ts', '../responder/types.js', true));
});

test('napi.h stays in the files that face Node', () => {
  const facing = /^native\/(addon|responder_wrap|heartbeater_wrap|js_error|js_events|js_heartbeats)\./;
  const others = filesOf(/^native\/.*\.(cc|h)$/).filter((path) => !facing.test(path));
  assert.deepEqual(
    occurrences(
      others,
      /#include\s+[<"](napi|node_api|js_native_api|responder_wrap|heartbeater_wrap|js_error|js_events|js_heartbeats)\.h[>"]/,
    ),
    [],
  );
});

test('native/wire includes nothing of ours but itself', () => {
  const wire = filesOf(/^native\/wire\/.*\.(cc|h)$/);
  assert.ok(wire.length > 0);
  assert.deepEqual(occurrences(wire, /#include\s+"(?!wire\/)/), []);
});

test('every native header is included once and says what it is for', () => {
  const bad = filesOf(/^native\/.*\.h$/).filter((path) => !/^\/\/ \S[\s\S]*?^#pragma once$/m.test(read(path)));
  assert.deepEqual(bad, []);
});

test(`no source file has more than ${MAX_LINES} lines`, () => {
  const long = filesOf(/^(src|native|test|scripts|bench)\/.*\.(ts|mjs|js|cc|h|c|go|py)$/)
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES);
  assert.deepEqual(long, []);
});

test('nothing is left to be done, and no test stands alone', () => {
  const sources = filesOf(/\.(ts|mjs|cc|h|c|go|py|sh|yaml|yml|gyp)$|^\.ci\//);
  const leftover = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));
  assert.deepEqual(occurrences(sources, new RegExp(`\\b(${leftover.source})\\b`)), []);
  assert.deepEqual(occurrences(filesOf(/^test\/.*\.ts$/), /\b(test|it|describe|suite)\.only\b|\bonly: true\b/), []);
});

test('no path of somebody’s machine is written down', () => {
  const folders = ['home', 'work', 'root'].join('|');
  assert.deepEqual(occurrences(FILES, new RegExp(`(^|[\\s"'\`(=:])/(${folders})(/|[\\s"'\`)]|$)`)), []);
});

test('the lock file names no registry, and every package that Linux installs has its hash', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { resolved?: string; integrity?: string; optional?: boolean }>;
  };
  const installed = Object.entries(packages).filter(([path]) => path !== '');
  assert.ok(installed.length > 0);
  assert.deepEqual(
    installed.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path),
    [],
  );
  assert.deepEqual(
    installed.filter(([, entry]) => entry.integrity === undefined && !entry.optional).map(([path]) => path),
    [],
  );
});

test('dependencies have exact versions, and each one is used', () => {
  const manifest = JSON.parse(read('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  assert.deepEqual(
    versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
    [],
  );
  const users = filesOf(/^src\/.*\.ts$|^binding\.gyp$/).map(read);
  const unused = Object.keys(manifest.dependencies).filter((name) => !users.some((text) => text.includes(`'${name}'`)));
  assert.deepEqual(unused, []);
});

test('every drop reason has a vector', () => {
  const names = [...read('native/drop_reason.h').matchAll(/^\s*X\(k\w+, "([^"]+)"\)/gm)].map((match) => match[1]!);
  assert.ok(names.length > 10);
  const vectors = filesOf(/^test\/vectors\/.*\.json$/)
    .map(read)
    .join('\n');
  assert.deepEqual(
    names.filter((name) => !vectors.includes(`"drop": "${name}"`) && !vectors.includes(`"drop":"${name}"`)),
    [],
  );
});
