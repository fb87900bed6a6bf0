import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseConfig } from '../../src/config/load.js';
import { readPlainMapping } from '../../src/config/plain_yaml.js';
import { formatProblem } from '../../src/config/problem.js';
import { quickRead } from '../../src/config/quick_read.js';
import { readYaml } from '../../src/config/read_yaml.js';
import { config, fileOf, mutated, plainText } from './config_samples.js';

const OPTIONS = { file: 'a.yaml', defaultNode: 'host' };

/** A text is either a configuration or has mistakes, each of them at a place in it. */
function judge(text: string): void {
  const result = parseConfig(text, OPTIONS);
  if (!('problems' in result)) return;
  assert.ok(result.problems.length > 0);
  const lines = text.split('\n');
  for (const problem of result.problems) {
    assert.ok(problem.line !== null && problem.column !== null);
    assert.ok(problem.line >= 1 && problem.line <= lines.length, formatProblem(problem));
    assert.ok(problem.column >= 1 && problem.column <= lines[problem.line - 1]!.length + 1, formatProblem(problem));
    assert.match(formatProblem(problem), /^a\.yaml:\d+:\d+: \P{Cc}+$/u);
  }
}

describe('parseConfig', () => {
  it('reads back every configuration, whatever the style of the YAML', () => {
    const styles = fc.record({
      defaultStringType: fc.constantFrom('PLAIN' as const, 'QUOTE_DOUBLE' as const, 'QUOTE_SINGLE' as const),
      defaultKeyType: fc.constantFrom('PLAIN' as const, 'QUOTE_DOUBLE' as const),
      collectionStyle: fc.constantFrom('any' as const, 'flow' as const),
      indentSeq: fc.boolean(),
      indent: fc.integer({ min: 1, max: 5 }),
      lineWidth: fc.constant(0),
    });
    fc.assert(
      fc.property(config, styles, fc.boolean(), (made, style, json) => {
        const text = json ? JSON.stringify(fileOf(made), null, 1) : stringify(fileOf(made), style);
        const result = parseConfig(text, OPTIONS);
        assert.ok('config' in result, 'problems' in result ? result.problems.map(formatProblem).join('\n') : '');
        assert.deepEqual(result.config, made);
      }),
      { numRuns: 300 },
    );
  });

  it('fills in what the file leaves out', () => {
    const result = parseConfig('services: []\n', OPTIONS);
    assert.deepEqual('config' in result && result.config, {
      node: 'host',
      cluster: 'arpeggio',
      interfaces: null,
      serve: 'loopback',
      heartbeat: { intervalMs: 50, multiplier: 3, keyFile: null, keys: [] },
      status: { socket: '/run/arpeggio/arpeggio.sock', listen: null },
      desired: { services: [], probing: 'fast' },
    });
  });

  it('fills in what a service leaves out', () => {
    const result = parseConfig('services: [{name: a, addresses: [192.0.2.1]}]\n', OPTIONS);
    assert.deepEqual('config' in result && result.config.desired.services, [
      { name: 'a', addresses: ['192.0.2.1'], interfaces: null, nodes: null, prefer: [] },
    ]);
  });

  it('knows one service list by its anchor in thousands of services', () => {
    const items = Array.from({ length: 3000 }, (_, index) => {
      const nics = index === 0 ? '&nics [eth0, eth1]' : '*nics';
      return `- {name: s${index}, addresses: [10.0.${index >> 8}.${index & 255}], interfaces: ${nics}}`;
    });
    const result = parseConfig(`services:\n${items.join('\n')}\n`, OPTIONS);
    assert.ok('config' in result);
    assert.deepEqual(result.config.desired.services[2999]?.interfaces, ['eth0', 'eth1']);
  });

  it('throws for no text, and gives each mistake a place in it', () => {
    const alphabet = fc.constantFrom(
      ...'ab1.:-[]{}"\'#&*!|>%@`,?\n\r\t \\\0é😀',
      '\n- ',
      'services:',
      '---\n',
      '\uFEFF',
    );
    fc.assert(fc.property(fc.string({ unit: alphabet, maxLength: 60 }), judge), { numRuns: 3000 });
    fc.assert(fc.property(fc.string({ unit: 'binary' }), judge), { numRuns: 500 });
    fc.assert(fc.property(mutated(config.map((made) => stringify(fileOf(made)))), judge), { numRuns: 500 });
    fc.assert(fc.property(mutated(plainText), judge), { numRuns: 1500 });
    fc.assert(fc.property(fc.json(), judge), { numRuns: 300 });
  });
});

describe('readPlainMapping', () => {
  it('gives what the YAML parser gives, or nothing', () => {
    const lines = fc.constantFrom(
      ...[
        '---',
        'node: a',
        'node: "b" # c',
        'serve: none',
        'serve: null',
        'interfaces: [eth0, "eth1"]',
        'interfaces: []',
      ],
      ...[
        'status:',
        'status: # d',
        '  socket: /run/a.sock',
        '  listen: 127.0.0.1:80',
        '    listen: a',
        '  socket:',
        ' a: b',
        'heartbeat:',
        '  interval: 50ms',
        '  multiplier: 3',
        '  key:',
        '    file: /k # f',
        '      deep: a',
      ],
      ...[
        '',
        '  # e',
        'services:',
        'true: a',
        'x: 10',
        'x: 1:2',
        'x: b: c',
        'x: b#c',
        'x: a b',
        '- a',
        'constructor: a',
      ],
    );
    let plain = 0;
    fc.assert(
      fc.property(fc.array(lines, { minLength: 1, maxLength: 7 }), (chosen) => {
        const text = chosen.join('\n');
        const read = readPlainMapping(text);
        if (!read || Object.keys(read).length === 0) return;
        plain += 1;
        const whole = readYaml(text);
        assert.deepEqual(whole.mistakes, []);
        assert.deepEqual(read, whole.value);
      }),
      { numRuns: 5000 },
    );
    assert.ok(plain > 300, `only ${plain} of 5000 texts were plain`);
  });

  it('reads what a configuration has beside its services', () => {
    assert.deepEqual(
      readPlainMapping(
        '---\nnode: a # b\ninterfaces: [ eth0 ]\nstatus:\n  socket: /run/a.sock\n  listen: 127.0.0.1:80\n',
      ),
      { node: 'a', interfaces: ['eth0'], status: { socket: '/run/a.sock', listen: '127.0.0.1:80' } },
    );
    assert.deepEqual(
      readPlainMapping('heartbeat:\n  key:\n    file: /etc/k\n  interval: 50ms\n  multiplier: 3\ncluster: a\n'),
      { heartbeat: { key: { file: '/etc/k' }, interval: '50ms', multiplier: 3 }, cluster: 'a' },
    );
  });
});

describe('quickRead', () => {
  it('gives what the YAML parser gives, or nothing', () => {
    let quick = 0;
    const same = (text: string): void => {
      const read = quickRead(text);
      if (!read) return;
      quick += 1;
      const whole = readYaml(text);
      assert.deepEqual(whole.mistakes, []);
      assert.deepEqual(read.value, whole.value);
      const { services } = read.value as { services: { addresses?: string[] }[] };
      services.forEach(({ addresses }, service) => {
        addresses?.forEach((_, index) => {
          const path = ['services', service, 'addresses', index];
          assert.deepEqual(read.position(read.offset(path)!), whole.positions.value(path));
        });
      });
    };
    fc.assert(fc.property(plainText, same), { numRuns: 2000 });
    fc.assert(fc.property(mutated(plainText), same), { numRuns: 3000 });
    assert.ok(quick > 100, `only ${quick} of 5000 texts were read the quick way`);
  });

  it('reads the layouts of generated files', () => {
    for (const text of [
      'services:\n- name: a\n  addresses: [192.0.2.1]\n',
      '---\n# all of them\n\nnode: x\nservices: # two\n  - name: a # first\n    addresses: [ 192.0.2.1, "2001:db8::1" ]\n\n  # last\n  - name: "b"\n    interfaces: [eth0]\n    addresses:\n      - 192.0.2.2\n      - 2001:db8::2\nserve: none',
      'services:\n  - addresses:\n    - 192.0.2.1\n    name: a',
      'heartbeat:\n  key:\n    file: /k\nservices:\n  - name: a\n    nodes: [b, c]\n    addresses: [192.0.2.1]',
    ])
      assert.ok(quickRead(text), text);
  });

  const left: [string, string][] = [
    ['a list without items', 'services:\n  - name: a\n    addresses:\n'],
    ['a list without items before another key', 'services:\n  - addresses:\n    name: a\n'],
    ['a list without items before another service', 'services:\n  - addresses:\n  - name: a\n'],
    ['a key given twice', 'services:\n  - name: a\n    name: b\n'],
    ['a list given twice', 'services:\n  - interfaces: [a]\n    interfaces: [b]\n'],
    ['a word that is no string', 'services:\n  - name: null\n'],
    ['an anchor', 'services:\n  - name: &a b\n'],
    ['items at two depths', 'services:\n  - addresses:\n      - 192.0.2.1\n     - 192.0.2.2\n'],
    ['items that are not deep enough', 'services:\n  - addresses:\n   - 192.0.2.1\n'],
    ['an item without a list', 'services:\n  - 192.0.2.1\n'],
    ['a key that no service has yet', 'services:\n  name: a\n'],
    ['services at two depths', 'services:\n  - name: a\n - name: b\n'],
    ['keys at two depths', 'services:\n  - name: a\n     interfaces: [a]\n'],
    ['an unknown key', 'services:\n  - nome: a\n'],
    ['no service', 'services:\nnode: a\n'],
    ['services elsewhere', 'services:\n  - name: a\nservices: []\n'],
    ['services in brackets', 'services: []\n'],
    ['a text that reaches over the key', '{node: "a\nservices:\n  - name: b\nc", services: }\n'],
    ['another version of YAML', '%YAML 1.1\n---\nservices:\n  - name: a\n'],
  ];
  for (const [name, text] of left) it(`leaves ${name} to the YAML parser`, () => assert.equal(quickRead(text), null));
});
