#!/usr/bin/env node
// The reference of the configuration file, from the compiled schema. Prints it; with --check compares it with the section
// of README.md between the markers, with --write replaces that section.
import { readFileSync, writeFileSync } from 'node:fs';
import { Document, isSeq, visit } from 'yaml';
import { fileSchema } from '../dist/src/config/schema.js';

const BEGIN = '<!-- config:begin -->';
const END = '<!-- config:end -->';
const README = new URL('../README.md', import.meta.url);

function rows(schema, prefix = '') {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const name = prefix + key;
    const required = schema.required?.includes(key);
    const ofList = property.items?.properties ? rows(property.items, `${name}[].`) : [];
    return [
      `| \`${name}\` | ${values(property)} | ${required ? 'required' : byDefault(property)} | ${property.description.replaceAll('|', '\\|')} |`,
      ...rows(property, `${name}.`),
      ...ofList,
    ];
  });
}

const NAMES = { null: '`null`', integer: 'number' };

function values(property) {
  if (property.enum) return property.enum.map((value) => `\`${value}\``).join(', ');
  if (property.items) return property.items.properties ? 'list of mappings' : 'list of texts';
  if (property.properties) return 'mapping';
  const types = property.anyOf?.map(({ type }) => type) ?? [property.type].flat();
  return types.map((type) => NAMES[type] ?? 'text').join(' or ');
}

function byDefault(property) {
  return property.default === undefined || property.properties ? '' : `\`${property.default}\``;
}

function example(schema) {
  if (schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties).map(([key, property]) => [key, example(property)]));
  }
  if (schema.example !== undefined) return schema.example;
  return schema.items ? [example(schema.items)] : schema.default;
}

function exampleYaml(schema) {
  const document = new Document(example(schema));
  visit(document, {
    Seq(_, node) {
      node.flow = node.items.every((item) => !isSeq(item) && !('items' in item));
    },
    Scalar(_, node) {
      if (String(node.value).includes(':')) node.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ flowCollectionPadding: false, lineWidth: 0 }).trimEnd();
}

function reference() {
  const schema = fileSchema();
  return [
    'Every key, with an example value. Only `services` is required.',
    '',
    '```yaml',
    exampleYaml(schema),
    '```',
    '',
    '| Key | Value | Default | Meaning |',
    '| --- | --- | --- | --- |',
    ...rows(schema),
  ].join('\n');
}

const text = reference();
const mode = process.argv[2];
if (mode === undefined) {
  console.log(text);
} else if (mode === '--check' || mode === '--write') {
  const readme = readFileSync(README, 'utf8');
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) {
    console.error(`README.md has no section between ${BEGIN} and ${END}`);
    process.exit(1);
  }
  const updated = `${readme.slice(0, begin + BEGIN.length)}\n${text}\n${readme.slice(end)}`;
  if (mode === '--write') writeFileSync(README, updated);
  else if (updated !== readme) {
    console.error('README.md is older than the schema; run: npm run build && node scripts/reference.mjs --write');
    process.exit(1);
  }
} else {
  console.error('usage: reference.mjs [--check | --write]');
  process.exit(2);
}
