// `arpeggio cleanup` after a crash, and with the sysctl that somebody changed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Netns, netnsSkip } from './serve_netns.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

test('cleanup says what it removed, restored and left', { skip: netnsSkip(), timeout: 60_000 }, async () => {
  const ns = new Netns();
  try {
    ns.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer0');
    const agent = ns.agent();
    await agent.ok('both', ['192.0.2.10', '2001:db8::10'], [ns.ref('eth0')]);
    ns.setSysctl('eth0', 'arp_announce', 1);
    await agent.kill();
    const command = [
      process.execPath,
      MAIN,
      'cleanup',
      '--state-file',
      ns.stateFile,
      '--socket',
      `${ns.directory}/none`,
    ];
    assert.equal(
      ns.run(...command),
      `removed 192.0.2.10 from lo
removed 2001:db8::10 from lo
restored net.ipv4.conf.eth0.arp_ignore to 0
left net.ipv4.conf.eth0.arp_announce at 1: it was changed after the speaker had set it
`,
    );
    assert.deepEqual(ns.loopback(), []);
    assert.equal(ns.run(...command), 'nothing to clean up\n');
  } finally {
    await ns.close();
  }
});
