import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, parseAddress } from '../../src/net/address.js';
import { kernelAnswers } from '../../src/serve/kernel_answers.js';

const a = parseAddress;
const ips = (...texts: string[]): ReadonlySet<Address> => new Set(texts.map(a));

test('an address of another link: answered unless arp_ignore spares it, IPv4 only', () => {
  const links = [
    {
      name: 'lo',
      addresses: [
        [a('192.0.2.10'), 32],
        [a('2001:db8::10'), 128],
        [a('127.0.0.1'), 8],
      ] as const,
    },
  ];
  const service = ips('192.0.2.10', '2001:db8::10');
  const answeredAt = (arpIgnore: number) =>
    kernelAnswers(links, ['eth0'], service, new Map([['eth0', arpIgnore]])).flatMap(({ addresses }) => addresses);
  const table = [0, 1, 2, 3, 4, 7, 8].map((value) => [value, answeredAt(value).join()]);
  assert.deepEqual(table, [
    [0, '192.0.2.10'],
    [1, ''],
    [2, ''],
    [3, '192.0.2.10'],
    [4, '192.0.2.10'],
    [7, '192.0.2.10'],
    [8, ''],
  ]);
});

test('an address of the interface itself: answered in both families, whatever arp_ignore', () => {
  const links = [
    {
      name: 'eth0',
      addresses: [
        [a('192.0.2.10'), 24],
        [a('2001:db8::10'), 64],
      ] as const,
    },
  ];
  const service = ips('192.0.2.10', '2001:db8::10');
  const [answer] = kernelAnswers(links, ['eth0'], service, new Map([['eth0', 1]]));
  assert.deepEqual(answer?.addresses, ['192.0.2.10', '2001:db8::10']);
  assert.match(answer!.warning, /^the kernel answers for 192\.0\.2\.10, 2001:db8::10 on eth0 itself/);
  const silent = kernelAnswers(links, ['eth0'], service, new Map([['eth0', 8]]));
  assert.deepEqual(silent[0]?.addresses, ['2001:db8::10']);
});

test('kube-ipvs0: the remedy is strictARP; elsewhere arp_ignore of the interface', () => {
  const on = (name: string, arpIgnore: number, count = 1) =>
    kernelAnswers(
      [{ name, addresses: Array.from({ length: count }, (_, index) => [a(`192.0.2.${index + 1}`), 32] as const) }],
      ['eth0'],
      ips(...Array.from({ length: count }, (_, index) => `192.0.2.${index + 1}`)),
      new Map([['eth0', arpIgnore]]),
    )[0]?.warning;
  assert.match(on('kube-ipvs0', 0)!, /because kube-ipvs0 has the address; set strictARP: true/);
  assert.match(on('lo', 0)!, /set net\.ipv4\.conf\.eth0\.arp_ignore=1$/);
  assert.match(on('lo', 3)!, /\(arp_ignore=3 does not prevent it, and the larger of "all"/);
  assert.match(on('lo', 0, 10)!, /192\.0\.2\.1, 192\.0\.2\.2, 192\.0\.2\.3 and 7 more on eth0/);
});

test('each interface in use is judged by itself; addresses of no service do not matter', () => {
  const links = [{ name: 'lo', addresses: [[a('192.0.2.10'), 32]] as const }];
  const values = new Map([
    ['eth0', 1],
    ['eth1', 0],
  ]);
  assert.deepEqual(
    kernelAnswers(links, ['eth0', 'eth1'], ips('192.0.2.10'), values).map(({ interfaceName }) => interfaceName),
    ['eth1'],
  );
  assert.deepEqual(kernelAnswers(links, ['eth1'], ips('192.0.2.11'), values), []);
});
