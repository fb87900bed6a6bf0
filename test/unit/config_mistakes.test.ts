import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/config/load.js';
import { nearest } from '../../src/config/nearest.js';
import { formatProblem } from '../../src/config/problem.js';

const OPTIONS = { file: 'a.yaml', defaultNode: 'host' };

function mistakes(text: string): string[] {
  const result = parseConfig(text, OPTIONS);
  return 'problems' in result ? result.problems.map(formatProblem) : [];
}

/** One service with this address, which stands at 3:17. */
function withAddress(address: string): string {
  return `services:\n  - name: web\n    addresses: [${address}]\n`;
}

const AT = 'a.yaml:3:17: services.0.addresses.0:';

const rows: [name: string, text: string, expected: string[]][] = [
  // The file as a whole and YAML
  ['an empty file', '', ['a.yaml:1:1: the file is empty; it needs at least the key services']],
  ['only comments', '# nothing\n', ['a.yaml:1:1: the file is empty; it needs at least the key services']],
  ['a text', 'hello\n', ['a.yaml:1:1: must be a mapping with the key services, not "hello"']],
  ['a list', '- a\n', ['a.yaml:1:1: must be a mapping with the key services, not a list']],
  [
    'an open bracket',
    'services: [\n',
    ['a.yaml:1:11: YAML: this [ is never closed, or what follows is not indented enough'],
  ],
  ['a tab', 'services: []\n\tnode: x\n', ['a.yaml:2:1: YAML: Tabs are not allowed as indentation']],
  [
    'an open quote',
    `${withAddress('192.0.2.1, "2001:db8::1').replace(']', '')}  - name: api\n`,
    [
      'a.yaml:3:16: YAML: this [ is never closed, or what follows is not indented enough',
      'a.yaml:3:28: YAML: this " is never closed, or what follows is not indented enough',
    ],
  ],
  [
    'mistakes in the YAML at two places',
    'node: [a\nserve: "x" y\n',
    [
      'a.yaml:1:7: YAML: this [ is never closed, or what follows is not indented enough',
      'a.yaml:2:12: YAML: Unexpected scalar at node end',
    ],
  ],
  [
    'two documents',
    'services: []\n---\nservices: []\n',
    ['a.yaml:2:1: YAML: a second document begins here; a configuration is one'],
  ],
  ['an unknown anchor', 'services: *all\n', ['a.yaml:1:11: YAML: there is no anchor &all before this alias']],
  ['an unknown tag', 'services: !all []\n', ['a.yaml:1:11: YAML: Unresolved tag: !all']],
  ['deep nesting', `services: ${'['.repeat(20_000)}\n`, ['a.yaml:1:138: YAML: nested too deeply for a configuration']],
  [
    'nesting by anchors without end',
    `a: &a [x, x, x, x, x, x, x, x, x, x]\n${['b', 'c', 'd', 'e', 'f', 'g']
      .map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdef'[index]}`).join(', ')}]\n`)
      .join('')}services: []\n`,
    ['a.yaml:1:1: YAML: Excessive alias count indicates a resource exhaustion attack'],
  ],
  [
    'keys given twice, at the top and within',
    'node: a\nservices:\n  - name: web\n    addresses: [192.0.2.1]\n    name: api\nnode: b\n',
    [
      'a.yaml:5:5: services.0.name: this key is given twice (first on line 3)',
      'a.yaml:6:1: node: this key is given twice (first on line 1)',
    ],
  ],
  [
    'keys that differ for YAML alone',
    'services: []\n1: a\n"1": b\n',
    [
      'a.yaml:2:1: 1: unknown key; the keys here are node, cluster, interfaces, serve, probing, heartbeat, services, status',
      'a.yaml:3:1: 1: this key is given twice (first on line 2)',
    ],
  ],
  // Keys
  ['no services', 'node: a\n', ['a.yaml:1:1: services: is missing; it must be a list of services (write [] for none)']],
  ['a misspelt key', 'servcies: []\n', ['a.yaml:1:1: servcies: unknown key; did you mean services?']],
  [
    'keys in capitals and with a letter too many',
    'Services: []\nnodes: x\n',
    ['a.yaml:1:1: Services: unknown key; did you mean services?', 'a.yaml:2:1: nodes: unknown key; did you mean node?'],
  ],
  [
    'a key of elsewhere',
    'services: []\nvip: x\n',
    [
      'a.yaml:2:1: vip: unknown key; the keys here are node, cluster, interfaces, serve, probing, heartbeat, services, status',
    ],
  ],
  [
    'keys of JavaScript',
    'services: []\n__proto__: 1\nconstructor: 2\n',
    [
      'a.yaml:2:1: __proto__: unknown key; the keys here are node, cluster, interfaces, serve, probing, heartbeat, services, status',
      'a.yaml:3:1: constructor: unknown key; the keys here are node, cluster, interfaces, serve, probing, heartbeat, services, status',
    ],
  ],
  [
    'a key that would spoil the line',
    'services: []\n"a: b\\n\\e[31m": 1\n',
    [
      'a.yaml:2:1: "a: b\\n\\u001b[31m": unknown key; the keys here are node, cluster, interfaces, serve, probing, heartbeat, services, status',
    ],
  ],
  [
    'unknown keys within',
    'services:\n  - name: web\n    adresses: [192.0.2.1]\n    port: 80\nstatus:\n  port: 1\n',
    [
      'a.yaml:3:5: services.0.adresses: unknown key; did you mean addresses?',
      'a.yaml:4:5: services.0.port: unknown key; the keys here are name, addresses, interfaces, nodes, prefer',
      'a.yaml:6:3: status.port: unknown key; the keys here are socket, listen',
    ],
  ],
  [
    'keys missing in a service',
    'services:\n  - interfaces: [eth0]\n',
    [
      'a.yaml:2:5: services.0.name: is missing; it must be the name of the service',
      'a.yaml:2:5: services.0.addresses: is missing; it must be a list of IP addresses',
    ],
  ],
  // Types
  [
    'services that are no list',
    'services: {}\n',
    ['a.yaml:1:11: services: must be a list of services (write [] for none), not a mapping'],
  ],
  [
    'services left empty',
    'services:\n',
    ['a.yaml:1:10: services: is empty; it must be a list of services (write [] for none)'],
  ],
  [
    'a service that is a text',
    'services:\n  - web\n',
    ['a.yaml:2:5: services.0: must be a service with name and addresses, not "web"'],
  ],
  [
    'a status that is a text',
    'services: []\nstatus: on\n',
    ['a.yaml:2:9: status: must be a mapping with socket and listen, not "on"'],
  ],
  [
    'a number for a name',
    'services: []\nnode: 7\n',
    ['a.yaml:2:7: node: must be the name of this node, not the number 7'],
  ],
  [
    'YAML 1.1',
    '%YAML 1.1\n---\nservices: []\nserve: no\n',
    ['a.yaml:4:8: serve: must be one of loopback, none, not the boolean false'],
  ],
  ['a wrong choice', 'services: []\nserve: lo\n', ['a.yaml:2:8: serve: must be one of loopback, none, not "lo"']],
  [
    'a choice left empty',
    'services: []\nprobing:\n',
    ['a.yaml:2:9: probing: is empty; it must be one of fast, rfc5227, none'],
  ],
  // Names
  [
    'names that cannot be',
    'node: "my host"\nservices:\n  - name: ""\n    addresses: [192.0.2.1]\n  - name: "a\\tb"\n    addresses: [192.0.2.2]\n',
    [
      'a.yaml:1:7: node: "my host" cannot be a node name: use letters, digits, "-", "." and "_", beginning and ending with a letter or digit, at most 253',
      'a.yaml:3:11: services.0.name: "" cannot be a service name: use 1 to 253 characters, no spaces and no control characters',
      'a.yaml:5:11: services.1.name: "a\\tb" cannot be a service name: use 1 to 253 characters, no spaces and no control characters',
    ],
  ],
  [
    'interfaces that cannot be',
    'interfaces: [eth0/1, "..", abcdefghijklmnop, 7]\nservices: []\n',
    [
      'a.yaml:1:14: interfaces.0: "eth0/1" cannot be the name of an interface',
      'a.yaml:1:22: interfaces.1: ".." cannot be the name of an interface',
      'a.yaml:1:28: interfaces.2: "abcdefghijklmnop" cannot be the name of an interface: it is longer than 15 bytes',
      'a.yaml:1:46: interfaces.3: must be the name of an interface, not the number 7',
    ],
  ],
  [
    'no interface',
    'interfaces: []\nservices: []\n',
    ['a.yaml:1:13: interfaces: names no interface; list at least one, or leave the key out for all of them'],
  ],
  [
    'interfaces left empty',
    'interfaces:\nservices: []\n',
    ['a.yaml:1:12: interfaces: is empty; it must be a list of interface names'],
  ],
  [
    'too many interfaces',
    `interfaces: [${Array.from({ length: 65 }, (_, index) => `e${index}`).join(', ')}]\nservices: []\n`,
    ['a.yaml:1:13: interfaces: names more than 64 interfaces, the most that one node can use'],
  ],
  // Addresses, one by one
  [
    'no address',
    'services:\n  - name: web\n    addresses: []\n',
    ['a.yaml:3:16: services.0.addresses: lists no address; give at least one'],
  ],
  [
    'an address that is no list',
    'services:\n  - name: web\n    addresses: 192.0.2.1\n',
    ['a.yaml:3:16: services.0.addresses: must be a list of IP addresses, not "192.0.2.1"'],
  ],
  ['a number', withAddress('10'), [`${AT} must be an IP address, not the number 10`]],
  ['a fraction', withAddress('192.5'), [`${AT} must be an IP address, not the number 192.5`]],
  ['no value', withAddress('~'), [`${AT} is empty; it must be an IP address`]],
  [
    'IPv6 without quotes',
    withAddress('2001:db8::'),
    [`${AT} must be an IP address, not a mapping; put quotes around "2001:db8::"`],
  ],
  ['a name', withAddress('web.example'), [`${AT} "web.example" is not an IP address`]],
  [
    'octal',
    withAddress('010.0.0.1'),
    [
      `${AT} "010.0.0.1" has a number with a leading zero, which some programs read as octal; write it in plain decimal`,
    ],
  ],
  ['256', withAddress('192.0.2.256'), [`${AT} "192.0.2.256" is not an IP address: a number is above 255`]],
  [
    'a prefix length',
    withAddress('192.0.2.1/24'),
    [`${AT} "192.0.2.1/24" has a prefix length; give the address without the prefix length: 192.0.2.1`],
  ],
  [
    'a zone',
    withAddress('"fe80::1%eth0"'),
    [`${AT} "fe80::1%eth0" has a zone; give the address alone and name the interface under interfaces`],
  ],
  [
    'link-local',
    withAddress('fe80::1'),
    [
      `${AT} fe80::1 is a link-local address: a client would need a zone to reach it (RFC 4007 6); use a global or unique local address`,
    ],
  ],
  [
    'mapped',
    withAddress('"::ffff:192.0.2.1"'),
    [`${AT} "::ffff:192.0.2.1" is an IPv4-mapped address; write it as 192.0.2.1`],
  ],
  ['loopback', withAddress('127.0.0.1'), [`${AT} 127.0.0.1 is a loopback address, which no other host can reach`]],
  ['loopback, IPv6', withAddress('::1'), [`${AT} ::1 is a loopback address, which no other host can reach`]],
  ['multicast', withAddress('224.0.0.1'), [`${AT} 224.0.0.1 is a multicast address`]],
  ['multicast, IPv6', withAddress('ff02::1'), [`${AT} ff02::1 is a multicast address`]],
  ['unspecified', withAddress('0.0.0.0'), [`${AT} 0.0.0.0 is the unspecified address`]],
  ['unspecified, IPv6', withAddress('"::"'), [`${AT} :: is the unspecified address`]],
  ['this network', withAddress('0.0.0.1'), [`${AT} 0.0.0.1 is in 0.0.0.0/8, which names no host (RFC 1122 3.2.1.3)`]],
  [
    'class E',
    withAddress('240.0.0.1'),
    [`${AT} 240.0.0.1 is in 240.0.0.0/4 (class E), which hosts refuse (RFC 1112 4)`],
  ],
  ['limited broadcast', withAddress('255.255.255.255'), [`${AT} 255.255.255.255 is the limited broadcast address`]],
  // What no single value shows
  [
    'addresses given twice, in other words and beside a wrong one',
    'services:\n  - name: web\n    addresses: [192.0.2.1, "2001:db8::1", 192.0.2.1]\n  - name: api\n    addresses: [bad, "2001:DB8:0::1"]\n',
    [
      'a.yaml:3:43: services.0.addresses.2: 192.0.2.1 is already an address of service "web"; an address belongs to one service (line 3)',
      'a.yaml:5:17: services.1.addresses.0: "bad" is not an IP address',
      'a.yaml:5:22: services.1.addresses.1: 2001:db8::1 is already an address of service "web"; an address belongs to one service (line 3)',
    ],
  ],
  [
    'an address given twice where all else is right',
    'services:\n- name: web\n  addresses: [192.0.2.1]\n- name: api\n  addresses:\n  - 192.0.2.1\n',
    [
      'a.yaml:6:5: services.1.addresses.0: 192.0.2.1 is already an address of service "web"; an address belongs to one service (line 3)',
    ],
  ],
  [
    'an address of a service without a name',
    'services:\n- addresses: [192.0.2.1]\n- name: api\n  addresses: [192.0.2.1]\n',
    [
      'a.yaml:2:3: services.0.name: is missing; it must be the name of the service',
      'a.yaml:4:15: services.1.addresses.0: 192.0.2.1 is already an address of a service; an address belongs to one service (line 2)',
    ],
  ],
  [
    'a service name given twice',
    'services:\n- name: web\n  addresses: [192.0.2.1]\n- name: web\n  addresses: [192.0.2.2]\n',
    ['a.yaml:4:9: services.1.name: "web" is already the name of a service (line 2)'],
  ],
  [
    'interfaces given twice, and one that the node does not use',
    'interfaces: [eth0, eth1, eth0]\nservices:\n- name: web\n  addresses: [192.0.2.1]\n  interfaces:\n  - eth1\n  - eth2\n  - eth1\n',
    [
      'a.yaml:1:26: interfaces.2: "eth0" is already in this list (line 1)',
      'a.yaml:7:5: services.0.interfaces.1: "eth2" is not among the interfaces of this node; add it there, or leave it out here (line 1)',
      'a.yaml:8:5: services.0.interfaces.2: "eth1" is already in this list (line 6)',
    ],
  ],
  // Status
  [
    'a socket that is no path',
    'services: []\nstatus: {socket: run/a.sock}\n',
    [
      'a.yaml:2:18: status.socket: "run/a.sock" must be the absolute path of a socket, such as /run/arpeggio/arpeggio.sock',
    ],
  ],
  [
    'a socket whose path is too long',
    `services: []\nstatus:\n  socket: /${'a'.repeat(107)}\n`,
    ['a.yaml:3:11: status.socket: the path of a unix socket has at most 107 bytes, this one is longer'],
  ],
  ...(
    [
      ['7472', 'must be ADDRESS:PORT of a loopback address, or null, not the number 7472'],
      ['localhost:7472', '"localhost" is not an IP address'],
      [':7472', '"" is not an IP address'],
      ['127.0.0.1', '"127.0.0.1" must be ADDRESS:PORT, such as 127.0.0.1:7472 or "[::1]:7472"'],
      ['"::1:7472"', '"::1:7472" must be ADDRESS:PORT, such as 127.0.0.1:7472 or "[::1]:7472"'],
      [
        '"[127.0.0.1]:7472"',
        '"[127.0.0.1]:7472" must be ADDRESS:PORT, with brackets around an IPv6 address and around no other',
      ],
      [
        '0.0.0.0:7472',
        '0.0.0.0 is not a loopback address; the status is for this node alone, so listen on 127.0.0.1 or [::1]',
      ],
      ['127.0.0.1:0', 'a port is 1 to 65535, not 0'],
      ['127.0.0.1:65536', 'a port is 1 to 65535, not 65536'],
    ] as const
  ).map(([listen, message]): [string, string, string[]] => [
    `listening on ${listen}`,
    `services: []\nstatus:\n  listen: ${listen}\n`,
    [`a.yaml:3:11: status.listen: ${message}`],
  ]),
  // Lines and columns
  [
    'lines that end in CR LF, and a byte order mark',
    '\uFEFF# host\r\nservices: []\r\nnode: 7\r\n',
    ['a.yaml:3:7: node: must be the name of this node, not the number 7'],
  ],
  [
    'characters of two code units',
    'services: []\nnode: {"😀": 1, b: 2}\n',
    ['a.yaml:2:7: node: must be the name of this node, not a mapping'],
  ],
  [
    'a mistake behind an alias',
    'services:\n  - &a\n    name: web\n    addresses: [192.0.2.1]\n  - *a\n',
    [
      'a.yaml:3:11: services.1.name: "web" is already the name of a service (line 3)',
      'a.yaml:4:17: services.1.addresses.0: 192.0.2.1 is already an address of service "web"; an address belongs to one service (line 4)',
    ],
  ],
  [
    'mistakes all over, by their place',
    'serve: x\nservices:\n  - name: 1\n    addresses: [10, 127.0.0.1]\n    interfaces: eth0\nprobing: y\nfoo: 1\n',
    [
      'a.yaml:1:8: serve: must be one of loopback, none, not "x"',
      'a.yaml:3:11: services.0.name: must be the name of the service, not the number 1',
      'a.yaml:4:17: services.0.addresses.0: must be an IP address, not the number 10',
      'a.yaml:4:21: services.0.addresses.1: 127.0.0.1 is a loopback address, which no other host can reach',
      'a.yaml:5:17: services.0.interfaces: must be a list of interface names, not "eth0"',
      'a.yaml:6:10: probing: must be one of fast, rfc5227, none, not "y"',
      'a.yaml:7:1: foo: unknown key; the keys here are node, cluster, interfaces, serve, probing, heartbeat, services, status',
    ],
  ],
];

describe('parseConfig says where and what is wrong:', () => {
  for (const [name, text, expected] of rows) it(name, () => assert.deepEqual(mistakes(text), expected));
});

describe('nearest', () => {
  const known = ['node', 'interfaces', 'services', 'status'];
  for (const [word, expected] of [
    ['services', 'services'],
    ['servcies', 'services'],
    ['service', 'services'],
    ['interface', 'interfaces'],
    ['noed', 'node'],
    ['NODE', 'node'],
    ['none', 'node'],
    ['x', null],
    ['', null],
    ['a'.repeat(100_000), null],
  ] as const)
    it(`of ${word.slice(0, 20)} is ${expected}`, () => assert.equal(nearest(word, known), expected));
});

describe('formatProblem', () => {
  it('leaves out what a problem does not have', () =>
    assert.equal(
      formatProblem({ file: 'a.yaml', line: null, column: null, path: '', message: 'is gone' }),
      'a.yaml: is gone',
    ));
});
