import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkAgainstHost, type HostCheckOptions } from '../../src/config/host_check.js';
import { eligibleInterfaces, unusableLink } from '../../src/config/interfaces.js';
import { parseConfig } from '../../src/config/load.js';
import { formatProblem } from '../../src/config/problem.js';
import { type Address, parseAddress } from '../../src/net/address.js';
import type { LinkInfo } from '../../src/responder/types.js';
import { sampleLink } from './link_sample.js';

function link(name: string, addresses: string[] = [], traits: Partial<LinkInfo> = {}): LinkInfo {
  const pairs = addresses.map((text) => {
    const [address, length] = text.split('/') as [string, string];
    return [parseAddress(address), Number(length)] as const;
  });
  return sampleLink(name, { addresses: pairs, ...traits });
}

const LO = link('lo', ['127.0.0.1/8', '::1/128', '192.0.2.99/32'], { loopback: true, ethernet: false });
const ETH0 = link('eth0', ['192.0.2.1/24', '2001:db8::1/64', 'fe80::1/64']);
const ETH1 = link('eth1', ['198.51.100.1/31', '203.0.113.1/30', '2001:db8:1::/127']);
const IPVS = link('kube-ipvs0', ['192.0.2.98/32'], { noArp: true });
const SLAVE = link('eth2', [], { enslaved: true });
const TUN = link('wg0', [], { ethernet: false });
const LINKS = [LO, ETH0, ETH1, IPVS, SLAVE, TUN];

const START: HostCheckOptions = { knownInterfaces: new Set(), servedByUs: new Set() };

function check(text: string, links = LINKS, options = START): { problems: string[]; warnings: string[] } {
  const parsed = parseConfig(text, { file: 'a.yaml', defaultNode: 'host' });
  assert.ok('config' in parsed, 'problems' in parsed ? parsed.problems.map(formatProblem).join('\n') : '');
  const { problems, warnings } = checkAgainstHost(parsed, links, options);
  return { problems: problems.map(formatProblem), warnings: warnings.map(formatProblem) };
}

/** A service with this address, which stands at 3:17, after the lines of `head`. */
function withAddress(address: string, head = ''): string {
  return `services:\n  - name: web\n    addresses: ["${address}"]\n${head}`;
}

const AT = 'a.yaml:3:17: services.0.addresses.0:';

describe('checkAgainstHost', () => {
  const rows: [name: string, text: string, problems: string[], warnings: string[]][] = [
    ['a free address of a subnet', withAddress('192.0.2.10'), [], []],
    ['a free IPv6 address of a subnet', withAddress('2001:db8::10'), [], []],
    ['both addresses of a /31', withAddress('198.51.100.0'), [], []],
    ['an address of a /127', withAddress('2001:db8:1::1'), [], []],
    [
      "the node's own address",
      withAddress('192.0.2.1'),
      [`${AT} 192.0.2.1 is an address of this node, on eth0; a service IP must be free`],
      [],
    ],
    [
      "the node's own address, on an interface that the service does not use",
      withAddress('203.0.113.1', '    interfaces: [eth0]\n'),
      [`${AT} 203.0.113.1 is an address of this node, on eth1; a service IP must be free`],
      [],
    ],
    [
      'an address that somebody else put on lo',
      withAddress('192.0.2.99'),
      [
        `${AT} 192.0.2.99 is an address of this node, on lo, where Arpeggio did not put it: remove it there, or set serve: none to go on serving it yourself`,
      ],
      [],
    ],
    ['an address that the user put on lo', withAddress('192.0.2.99', 'serve: none\n'), [], []],
    ['an address that kube-proxy put on kube-ipvs0', withAddress('192.0.2.98', 'serve: none\n'), [], []],
    [
      'an address on kube-ipvs0 with serve: loopback',
      withAddress('192.0.2.98'),
      [`${AT} 192.0.2.98 is an address of this node, on kube-ipvs0; a service IP must be free`],
      [],
    ],
    [
      'the broadcast address',
      withAddress('192.0.2.255'),
      [`${AT} 192.0.2.255 is the broadcast address of 192.0.2.0/24`],
      [],
    ],
    ['the network address', withAddress('192.0.2.0'), [`${AT} 192.0.2.0 is the network address of 192.0.2.0/24`], []],
    [
      'the broadcast address of a /30',
      withAddress('203.0.113.3'),
      [`${AT} 203.0.113.3 is the broadcast address of 203.0.113.0/30`],
      [],
    ],
    [
      'the Subnet-Router anycast address',
      withAddress('2001:db8::'),
      [`${AT} 2001:db8:: is the Subnet-Router anycast address (RFC 4291 2.6.1) of 2001:db8::/64`],
      [],
    ],
    [
      'an address in no subnet',
      withAddress('10.0.0.1'),
      [],
      [`${AT} 10.0.0.1 is in no subnet of eth0, eth1; clients need a route to it`],
    ],
    [
      'an address in the subnet of another interface',
      withAddress('192.0.2.10', '    interfaces: [eth1]\n'),
      [],
      [`${AT} 192.0.2.10 is in no subnet of eth1; clients need a route to it`],
    ],
    [
      'an address in the subnet of an interface that the node does not use',
      withAddress('192.0.2.10', 'interfaces: [eth1]\n'),
      [],
      [`${AT} 192.0.2.10 is in no subnet of eth1; clients need a route to it`],
    ],
    [
      'interfaces that do not exist',
      'services:\n- name: web\n  addresses: [192.0.2.10]\n  interfaces: [eth7]\ninterfaces: [eth8, eth7, eth0]\n',
      [
        'a.yaml:4:16: services.0.interfaces.0: there is no interface eth7; the Ethernet interfaces here are eth0, eth1',
        'a.yaml:5:14: interfaces.0: there is no interface eth8; the Ethernet interfaces here are eth0, eth1',
        'a.yaml:5:20: interfaces.1: there is no interface eth7; the Ethernet interfaces here are eth0, eth1',
      ],
      [],
    ],
    [
      'interfaces that cannot be used',
      'interfaces: [lo, eth2, kube-ipvs0, wg0]\nservices: []\n',
      [
        'a.yaml:1:14: interfaces.0: lo is a loopback interface, which no other host can reach',
        'a.yaml:1:18: interfaces.1: eth2 belongs to a bond, bridge or team; name its master instead',
        'a.yaml:1:24: interfaces.2: kube-ipvs0 does no address resolution (NOARP)',
        'a.yaml:1:36: interfaces.3: wg0 is not an Ethernet interface',
      ],
      [],
    ],
    [
      'several mistakes, by their place, in a text that only the YAML parser reads',
      'services:\r\n- name: web\r\n  addresses: [10.0.0.1, 192.0.2.255, 192.0.2.1]\r\n  interfaces: [eth9]\r\n- name: api\r\n  addresses: [192.0.2.0]\r\n',
      [
        'a.yaml:3:38: services.0.addresses.2: 192.0.2.1 is an address of this node, on eth0; a service IP must be free',
        'a.yaml:4:16: services.0.interfaces.0: there is no interface eth9; the Ethernet interfaces here are eth0, eth1',
        'a.yaml:6:15: services.1.addresses.0: 192.0.2.0 is the network address of 192.0.2.0/24',
      ],
      [],
    ],
  ];
  for (const [name, text, problems, warnings] of rows)
    it(`judges ${name}`, () => assert.deepEqual(check(text), { problems, warnings }));

  it('takes an address on lo for its own where Arpeggio put it', () => {
    const servedByUs = new Set<Address>([parseAddress('192.0.2.99')]);
    assert.deepEqual(check(withAddress('192.0.2.99'), LINKS, { ...START, servedByUs }).problems, []);
  });

  it('waits for an interface that was there before', () => {
    const text = withAddress('192.0.2.10', 'interfaces: [eth7]\n');
    assert.deepEqual(check(text, LINKS, { ...START, knownInterfaces: new Set(['eth7']) }), {
      problems: [],
      warnings: ['a.yaml:4:14: interfaces.0: eth7 is gone; it is used again when it is back'],
    });
  });

  it('warns where no interface is eligible', () => {
    assert.deepEqual(check(withAddress('192.0.2.10'), [LO]), {
      problems: [],
      warnings: [
        'a.yaml:1:1: interfaces: no interface is eligible, so nothing is announced; name one under interfaces',
      ],
    });
  });

  it('says so where there is no Ethernet interface at all', () => {
    assert.deepEqual(check('interfaces: [eth0]\nservices: []\n', [LO]).problems, [
      'a.yaml:1:14: interfaces.0: there is no interface eth0; this host has no Ethernet interface',
    ]);
  });

  it('finds the places of thousands of warnings', () => {
    const items = Array.from({ length: 3000 }, (_, i) => `- name: s${i}\n  addresses: [10.0.${i >> 8}.${i & 255}]\n`);
    const { warnings } = check(`services:\n${items.join('')}`);
    assert.equal(warnings.length, 3000);
    assert.match(warnings.at(-1) ?? '', /^a\.yaml:6001:15: services\.2999\.addresses\.0: 10\.0\.11\.183 /);
  });
});

describe('eligibleInterfaces', () => {
  it('leaves out what cannot answer', () => assert.deepEqual(eligibleInterfaces(LINKS), ['eth0', 'eth1']));

  it('leaves out the names that containers and overlays use', () => {
    const names = ['docker0', 'cbr0', 'dummy0', 'virbr0', 'lxcbr0', 'veth1a2b', 'cali12', 'tunl0', 'flannel.1'];
    const more = ['kube-ipvs0', 'cni0', 'nodelocaldns', 'lxc12', 'lo'];
    assert.deepEqual(eligibleInterfaces([...names, ...more].map((name) => link(name))), []);
  });

  it('goes by the whole name or its beginning, as the pattern says', () => {
    const links = ['lo', 'lo1', 'mydocker0', 'br0', 'bond0', 'eno1', 'wlan0'].map((name) => link(name));
    assert.deepEqual(eligibleInterfaces(links), ['lo1', 'mydocker0', 'br0', 'bond0', 'eno1', 'wlan0']);
    assert.deepEqual(eligibleInterfaces(links, ['lo*', 'bond0']), ['mydocker0', 'br0', 'eno1', 'wlan0']);
  });

  it('keeps links that are down: they may come up', () => {
    const down = link('eth0', [], { up: false, carrier: false });
    assert.equal(unusableLink(down), null);
    assert.deepEqual(eligibleInterfaces([down]), ['eth0']);
  });
});
