// IPv6 comes late to an interface, goes and comes back; the solicited-node groups follow within 100 ms.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { GROUP, onLink, RECOVERY_MS, round, SERVICE, SERVICE6 } from './harness/link_bed.js';
import { answersFor } from './harness/node.js';

const DISABLE = 'net.ipv6.conf.eth0.disable_ipv6';
const SETTLE_MS = 100;
// Below the least MTU of IPv6 (RFC 8200 5) the kernel takes all of IPv6 off the interface.
const NO_IPV6_MTU = 1000;
const MTU = 1500;

onLink('IPv6 is switched off and on again', async (bed) => {
  await round(async () => {
    await bed.host.setSysctls({ [DISABLE]: '1' });
    await delay(SETTLE_MS);
    await bed.host.setSysctls({ [DISABLE]: '0' });
    await bed.untilMember(true, RECOVERY_MS);
    await bed.answersOnlyWith(bed.node.mac);
  });
});

onLink(
  'IPv6 is switched on late',
  async (bed) => {
    await bed.host.setSysctls({ [DISABLE]: '0' });
    await bed.untilMember(true, RECOVERY_MS);
    await bed.answersOnlyWith(bed.node.mac);
  },
  {
    interfaces: [{ switch: 'switch', mac: '02:00:00:00:00:01', addresses: ['192.0.2.1/24'] }],
    sysctls: { [DISABLE]: '1' },
  },
);

onLink(
  'the first IPv6 address comes late',
  async (bed) => {
    const links = await bed.host.query<{ addr_info: { family: string }[] }[]>('addr', 'show', 'dev', 'eth0');
    assert.deepEqual(
      links[0]?.addr_info.filter(({ family }) => family === 'inet6'),
      [],
    );
    await bed.host.batch(['addr add 2001:db8::1/64 dev eth0']);
    await bed.untilMember(true, RECOVERY_MS);
    await bed.answersOnlyWith(bed.node.mac);
  },
  {
    interfaces: [{ switch: 'switch', mac: '02:00:00:00:00:01', addresses: ['192.0.2.1/24'] }],
    // No link-local address is made.
    sysctls: { 'net.ipv6.conf.eth0.addr_gen_mode': '1' },
  },
);

onLink('a small MTU takes IPv6 off the interface, a greater one brings it back', async (bed) => {
  await round(async () => {
    await bed.host.batch([`link set eth0 mtu ${NO_IPV6_MTU}`]);
    await bed.untilMember(false, RECOVERY_MS);
    await bed.host.batch([`link set eth0 mtu ${MTU}`]);
    await bed.untilMember(true, RECOVERY_MS);
    await bed.answersOnlyWith(bed.node.mac);
  });
});

onLink('a busy node learns at once that a small MTU took IPv6 off the interface for a moment', async (bed) => {
  await round(async () => {
    await bed.whileStopped(async () => {
      await bed.host.batch([`link set eth0 mtu ${NO_IPV6_MTU}`, `link set eth0 mtu ${MTU}`]);
      assert.ok(!bed.isMember());
    });
    await bed.untilMember(true, RECOVERY_MS);
  });
});

onLink('two service IPs with the same low 24 bits share their group until both are gone', async (bed) => {
  const twin = '2001:db8:1::ab:cdef';
  const withOnly = async (...addresses: string[]) => {
    await bed.node.configure([{ name: 'web', addresses }]);
    await answersFor(bed.node, addresses);
    await delay(SETTLE_MS);
  };
  await withOnly(SERVICE, SERVICE6, twin);
  assert.ok(bed.isMember());
  await withOnly(SERVICE, twin);
  assert.ok(bed.isMember(), 'the group was left with the first of its two addresses');
  await withOnly(SERVICE);
  assert.ok(!bed.isMember(), `${GROUP} was not left`);
  await withOnly(SERVICE, SERVICE6);
  assert.ok(bed.isMember());
});
