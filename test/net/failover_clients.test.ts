// Clients after a takeover: one that ignores gratuitous frames follows the directed ones and is counted as confirmed; one
// that is gone is counted as unconfirmed, and costs nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EAGER_RESOLUTION } from '../../src/lab/client.js';
import type { HostSpec } from '../../src/lab/network_spec.js';
import { observe } from '../../src/lab/observation.js';
import { clusterSpec } from '../../src/lab/stage.js';
import {
  addressesOf,
  assertMoved,
  assertTaken,
  busiest,
  eventually,
  OUTAGE_LIMIT_MS,
  withCluster,
} from './harness/failover_bed.js';

/** From the first packet that any client gets through to the new owner. */
const FOLLOW_LIMIT_MS = 50;
const STUBBORN = 'client-3';
const CLIENTS = ['client-1', 'client-2', STUBBORN];
const ABSENT = 'absent';

const IGNORES_GRATUITOUS = {
  'net.ipv4.conf.eth0.drop_gratuitous_arp': '1',
  'net.ipv6.conf.eth0.drop_unsolicited_na': '1',
};

function host(name: string, number: number, sysctls: Readonly<Record<string, string>>): HostSpec {
  return {
    name,
    interfaces: [{ switch: 'switch-1', addresses: [`192.0.2.${number}/24`, `2001:db8::${number}/64`] }],
    sysctls,
  };
}

const SPEC = clusterSpec();
const spec = {
  ...SPEC,
  hosts: [...SPEC.hosts, host(STUBBORN, 103, IGNORES_GRATUITOUS), host(ABSENT, 104, EAGER_RESOLUTION)],
};

test('clients are asked to follow, and those that answer are counted', async (t) => {
  await withCluster(t, { spec, clients: CLIENTS }, async (cluster, first) => {
    let owners = first;

    /** Loses the node; returns how many pairs of client and address the new owners asked, and how many are confirmed. */
    async function lose(name: string): Promise<{ asked: number; confirmed: number; addresses: number }> {
      const observation = await observe(cluster, () => cluster.network.setCable(name, 'down'), 2200);
      const after = await cluster.settled();
      assertTaken(owners, after, name);
      assertMoved(observation, owners, after, `${name} loses its link`);
      assert.ok(observation.outageMs <= OUTAGE_LIMIT_MS, `${observation.outageMs} ms without an answer`);
      const addresses = addressesOf(owners, name);
      for (const address of addresses) {
        const served = CLIENTS.map(
          (client) => observation.seen[client]?.[address]?.answeredBy.at(-1)?.sinceMs ?? Infinity,
        );
        const late = Math.max(...served) - Math.min(...served);
        assert.ok(
          late <= FOLLOW_LIMIT_MS,
          `${address}: the last client follows ${Math.round(late)} ms after the first`,
        );
      }
      const sum = { asked: 0, confirmed: 0, addresses: addresses.length };
      for (const node of cluster.others(name)) {
        const { moves } = await node.status();
        const clients = moves.find(({ from, to }) => from === name && to === node.name)?.clients;
        sum.asked += clients?.asked ?? 0;
        sum.confirmed += clients?.confirmed ?? 0;
      }
      owners = after;
      return sum;
    }

    await t.test('who ignores gratuitous frames follows within 50 ms, and all are confirmed', async () => {
      const name = busiest(owners);
      const { asked, confirmed, addresses } = await lose(name);
      assert.ok(asked >= CLIENTS.length * addresses, `${asked} for ${addresses} addresses`);
      assert.equal(confirmed, asked);
      await cluster.network.setCable(name, 'up');
      assert.deepEqual(await cluster.settled(), owners);
    });

    await t.test('a client that is gone is unconfirmed, and delays nobody', async () => {
      const absent = cluster.network.host(ABSENT);
      // It asks for each address, so that the nodes know it; then it is switched off.
      const asks = cluster.addresses.map((address) =>
        absent.exec(['ping', '-c', '1', '-W', '1', address], { allowFailure: true }),
      );
      await Promise.all(asks);
      await eventually('it has resolved all addresses', async () => {
        const entries = await Promise.all(cluster.addresses.map((address) => absent.neighbour(address)));
        return entries.every((entry) => entry?.lladdr !== undefined);
      });
      await cluster.network.setCable(ABSENT, 'down');
      await delay(50);
      const name = busiest(owners);
      const { asked, confirmed, addresses } = await lose(name);
      // Whoever is asked again, because a rival was heard, counts again.
      const rounds = asked / ((CLIENTS.length + 1) * addresses);
      assert.ok(rounds >= 1 && Number.isInteger(rounds), `${asked} of ${addresses} addresses`);
      assert.equal(confirmed, rounds * CLIENTS.length * addresses);
    });
  });
});
