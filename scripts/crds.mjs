#!/usr/bin/env node
// The CustomResourceDefinitions of deploy/base/crds and the tables of their fields in docs/kubernetes.md, from the compiled
// schemas. Writes them; with --check compares.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Document } from 'yaml';
import { customResourceDefinitions } from '../dist/src/metallb/crds.js';

const ROOT = new URL('../', import.meta.url);
const FOLDER = 'deploy/base/crds/';
const PAGE = 'docs/kubernetes.md';
const BEGIN = '<!-- fields:begin -->';
const END = '<!-- fields:end -->';
const ABOUT = ' Generated from src/metallb/schema.ts by scripts/crds.mjs; do not edit.';

function yamlOf(object) {
  const document = new Document(object, { aliasDuplicateObjects: false });
  document.commentBefore = ABOUT;
  return document.toString({ lineWidth: 120 });
}

function isSelector(schema) {
  return schema?.properties?.matchExpressions !== undefined;
}

function typeOf({ type, items, enum: values, ...schema }) {
  if (isSelector(schema)) return 'label selector';
  if (values) return values.map((value) => `\`${value}\``).join(', ');
  if (type !== 'array') return { string: 'text', integer: 'number', object: 'object', boolean: 'true or false' }[type];
  if (isSelector(items)) return 'label selectors';
  return items.type === 'object' ? 'objects' : 'texts';
}

function rows(schema, prefix) {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const name = `${prefix}.${key}`;
    const note = property.default === undefined ? '' : ` Default: \`${property.default}\`.`;
    const required = schema.required?.includes(key) ? ' Required.' : '';
    const row = `| \`${name}\` | ${typeOf(property)} | ${property.description}${note}${required} |`;
    if (isSelector(property) || isSelector(property.items)) return [row];
    return [row, ...rows(property, name), ...(property.items ? rows(property.items, `${name}[]`) : [])];
  });
}

function tableOf({ spec: { names, versions } }) {
  const { description, properties } = versions[0].schema.openAPIV3Schema;
  const fields = ['spec', 'status'].flatMap((part) => (properties[part] ? rows(properties[part], part) : []));
  return [
    `### ${names.kind}`,
    '',
    description,
    '',
    '| Field | Value | Meaning |',
    '| --- | --- | --- |',
    ...fields,
  ].join('\n');
}

function withTables(page, tables) {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${PAGE} has no section between ${BEGIN} and ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n${tables.join('\n\n')}\n${page.slice(end)}`;
}

const definitions = customResourceDefinitions();
const page = withTables(
  readFileSync(new URL(PAGE, ROOT), 'utf8'),
  definitions.map(({ object }) => tableOf(object)),
);
const files = [
  ...definitions.map(({ fileName, object }) => ({ path: FOLDER + fileName, text: yamlOf(object) })),
  { path: PAGE, text: page },
];
const mode = process.argv[2];
if (mode === undefined) {
  mkdirSync(new URL(FOLDER, ROOT), { recursive: true });
  for (const { path, text } of files) writeFileSync(new URL(path, ROOT), text);
} else if (mode === '--check') {
  const paths = new Set(files.map(({ path }) => path));
  const old = files
    .filter(({ path, text }) => !existsSync(new URL(path, ROOT)) || readFileSync(new URL(path, ROOT), 'utf8') !== text)
    .map(({ path }) => `${path} is older than the schema`);
  const foreign = readdirSync(new URL(FOLDER, ROOT))
    .filter((name) => name.startsWith('metallb.io_') && !paths.has(FOLDER + name))
    .map((name) => `${FOLDER}${name} belongs to no kind`);
  for (const line of [...old, ...foreign]) console.error(line);
  if (old.length + foreign.length > 0) {
    console.error('run: npm run setup && node scripts/crds.mjs');
    process.exit(1);
  }
} else {
  console.error('usage: crds.mjs [--check]');
  process.exit(2);
}
