// What happens to the interface, the node is right again within 100 ms of the kernel's event: it answers ARP and NS with
// the interface's MAC, is a member of the solicited-node group, and announces.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { type LinkBed, NODE_MAC, onLink, round } from './harness/link_bed.js';

const OTHER_MAC = '02:00:00:00:00:0a';
const CAME_UP = /: eth0[@:].*state UP /;
const DOWN_MS = 50;
// A process that was stopped takes its time to wake.
const WAKE_LIMIT_MS = 300;

onLink('the interface goes down and up', async (bed) => {
  await round(async () => {
    await bed.change(() => bed.host.batch(['link set eth0 down']), /: eth0[@:].*state DOWN /);
    await bed.node.waitForLog('closed port', ({ reason }) => reason === 'down');
    await delay(DOWN_MS);
    await bed.recovers(NODE_MAC, () => bed.host.batch(['link set eth0 up']), CAME_UP);
  });
});

onLink('the cable is unplugged and plugged in again', async (bed) => {
  await round(async () => {
    await bed.change(() => bed.network.setCable('node', 'down'), /NO-CARRIER.*: eth0[@:]|: eth0[@:].*NO-CARRIER/);
    await bed.node.waitForLog('lost carrier', ({ reason }) => reason === 'no carrier');
    await delay(DOWN_MS);
    await bed.recovers(NODE_MAC, () => bed.network.setCable('node', 'up'), CAME_UP);
  });
});

onLink('the MAC changes', async (bed) => {
  const macs = [OTHER_MAC, NODE_MAC, '02:00:00:00:00:0b'];
  await round(async () => {
    const mac = macs.shift() ?? OTHER_MAC;
    await bed.recovers(mac, () => bed.host.batch([`link set eth0 address ${mac}`]), null);
    await bed.answersOnlyWith(mac);
  });
});

/** Deletes eth0 and plugs in a new one. */
function replace(bed: LinkBed, mac: string, index: number): Promise<void> {
  const { host, network } = bed;
  const { port } = host.interface();
  return network.onSwitch('switch', [
    `link del ${port}`,
    `link add name eth0 netns ${host.namespace} index ${index} address ${mac} type veth peer name ${port}`,
    `link set ${port} master br0 up`,
  ]);
}

const FIRST_INDEX = 10;

onLink('the interface is deleted and created again under the same name, with another MAC', async (bed) => {
  let index = FIRST_INDEX;
  await round(async () => {
    index += 1;
    await replace(bed, OTHER_MAC, index);
    await bed.recovers(OTHER_MAC, () => bed.host.batch(['link set eth0 up']), CAME_UP);
    await bed.answersOnlyWith(OTHER_MAC);
  });
});

onLink('the interface is deleted and created again under the same name, index and MAC', async (bed) => {
  await round(async () => {
    await bed.recovers(
      NODE_MAC,
      async () => {
        await replace(bed, NODE_MAC, FIRST_INDEX);
        await bed.host.batch(['link set eth0 up']);
      },
      CAME_UP,
    );
  });
});

onLink('a node that was busy learns at once that its interface was deleted and created again', async (bed) => {
  await round(async () => {
    const act = () =>
      bed.whileStopped(async () => {
        await replace(bed, NODE_MAC, FIRST_INDEX);
        await bed.change(() => bed.host.batch(['link set eth0 up']), CAME_UP);
      });
    await bed.recovers(NODE_MAC, act, null, WAKE_LIMIT_MS);
  });
});

onLink('the interface is renamed away and back', async (bed) => {
  const rename = (from: string, to: string) =>
    bed.host.batch([`link set ${from} down`, `link set ${from} name ${to}`, `link set ${to} up`]);
  await round(async () => {
    await bed.change(() => rename('eth0', 'away0'), /: away0[@:].*state UP /);
    await bed.isSilent();
    assert.ok(!bed.isMember(undefined, 'away0'), 'away0 is a member of the group');
    await bed.recovers(NODE_MAC, () => rename('away0', 'eth0'), CAME_UP);
  });
});

onLink('a master takes the interface, and gives it back', async (bed) => {
  await bed.host.batch(['link add br9 type bridge stp_state 0', 'link set br9 up']);
  await round(async () => {
    await bed.change(() => bed.host.batch(['link set eth0 master br9']), /: eth0[@:].*master br9 /);
    await bed.node.waitForLog('enslaved port', ({ reason }) => reason?.startsWith('enslaved') ?? false);
    await bed.isSilent();
    await bed.recovers(NODE_MAC, () => bed.host.batch(['link set eth0 nomaster']), null);
  });
});
