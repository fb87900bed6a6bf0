import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Claim, type ClaimState } from '../../src/claim/claim.js';
import type { Address } from '../../src/net/address.js';
import { tableOf } from '../../src/table/table.js';
import { IPV4, IPV6 } from './claim_sample.js';

function claim(address: Address, interfaceName: string, state: ClaimState): Claim {
  const made = new Claim(address, interfaceName, 0);
  made.state = state;
  return made;
}

test('an address is answered where its claim says so, and watched on all its interfaces', () => {
  const states = ['waiting', 'probing', 'tentative', 'newcomer', 'owned', 'conflict'] as const;
  const table = tableOf([...states], new Map([[IPV6, states.map((state) => claim(IPV6, state, state))]]));
  assert.deepEqual(table, {
    interfaces: [...states],
    entries: [
      { address: IPV6, selected: [...states], answer: ['tentative', 'newcomer', 'owned'], tentative: ['tentative'] },
    ],
  });
});

test('an address that is handed over is quiet where it is answered', () => {
  const claims = new Map([[IPV4, [claim(IPV4, 'eth0', 'owned'), claim(IPV4, 'eth1', 'standby')]]]);
  const { entries } = tableOf(['eth0', 'eth1'], claims, () => true);
  assert.deepEqual(entries, [
    { address: IPV4, selected: ['eth0', 'eth1'], answer: ['eth0'], tentative: [], quiet: ['eth0'] },
  ]);
});

test('an address without claims is in the table, watched nowhere', () => {
  const table = tableOf(['eth0'], new Map([[IPV4, []]]));
  assert.deepEqual(table.entries, [{ address: IPV4, selected: [], answer: [], tentative: [] }]);
});

test('equal lists of names are one array', () => {
  const on = (address: Address) => ['eth0', 'eth1'].map((name) => claim(address, name, 'owned'));
  const { entries } = tableOf(
    ['eth0', 'eth1'],
    new Map([
      [IPV4, on(IPV4)],
      [IPV6, on(IPV6)],
    ]),
  );
  assert.equal(entries.length, 2);
  assert.equal(entries[0]?.selected, entries[1]?.selected);
  assert.equal(entries[0]?.answer, entries[1]?.answer);
  assert.equal(entries[0]?.answer, entries[0]?.selected);
});
