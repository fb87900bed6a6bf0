import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeLinks } from '../../src/cli/node_links.js';
import { sampleLink } from './link_sample.js';
import { logOf } from './shell_sample.js';

const opened = (interfaceName: string) => ({ type: 'port-opened', interfaceName, mac: '02:00:5e:10:00:01' }) as const;

test('usable is what is open and used, in the node’s order', () => {
  const links = new NodeLinks(
    logOf().log,
    ['eth1', 'eth0'],
    [sampleLink('eth0'), sampleLink('eth1'), sampleLink('eth2')],
  );
  assert.deepEqual([...links.usable], []);
  for (const name of ['eth0', 'eth2', 'eth1']) assert.ok(links.onEvent(opened(name)));
  assert.deepEqual([...links.usable], ['eth1', 'eth0']);
  links.onSameSegment('eth0', 'eth1');
  assert.deepEqual([[...links.usable], links.warnings.length], [['eth1'], 1]);
  links.onEvent({ type: 'port-closed', interfaceName: 'eth1', reason: 'no carrier' });
  assert.deepEqual([[...links.usable], links.warnings.length], [['eth0'], 0]);
  links.named = null;
  assert.deepEqual(links.interfaces, ['eth0', 'eth1', 'eth2']);
});

test('links that come and go change the interfaces only where none are named', () => {
  const { log, lines } = logOf();
  const links = new NodeLinks(log, null, [sampleLink('eth0')]);
  assert.equal(links.setLinks([sampleLink('eth0')]), false);
  assert.equal(links.setLinks([sampleLink('eth0'), sampleLink('eth1')]), true);
  links.named = ['eth0'];
  assert.equal(links.setLinks([sampleLink('eth0')]), false);

  links.onEvent({ type: 'port-failed', interfaceName: 'eth0', error: 'no memory' });
  assert.equal(links.ports.get('eth0')?.state, 'failed');
  links.setLinks([]);
  assert.equal(links.ports.has('eth0'), false, 'a new link of that name is a new chance');
  assert.equal(links.onEvent({ type: 'table-expired' }), false);
  assert.deepEqual(lines, [
    'error: eth0 cannot be opened',
    'error: the control plane stood still; nothing was answered until now',
  ]);
});

test('more interfaces than a node can use: the first ones are, and the status says so', () => {
  const { log } = logOf();
  const many = Array.from({ length: 70 }, (_, index) => `eth0.${index}`);
  const links = new NodeLinks(
    log,
    null,
    many.map((name) => sampleLink(name)),
  );
  assert.deepEqual(links.interfaces, many.slice(0, 64));
  assert.match(
    links.warnings.join(),
    /^6 of the interfaces, eth0\.64 the first of them, are not used: 64 are the most/,
  );
  links.named = ['eth0.69'];
  assert.deepEqual([links.interfaces, links.warnings], [['eth0.69'], []]);
});
