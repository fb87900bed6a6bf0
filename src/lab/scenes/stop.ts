import type { Scene } from '../lab.js';
import { ARP_SYSCTLS } from '../stage.js';
import { busiest, expectMove } from './moves.js';

interface LoopbackAddresses {
  readonly addr_info: readonly { readonly local: string }[];
}

/** SIGTERM gives everything away; `arpeggio cleanup` leaves the machine as it was before. */
export const stop: Scene = {
  title: 'A speaker is stopped for good, and its node put back as it was',
  async play(lab) {
    const { cluster, originalSysctls } = lab;
    const before = await cluster.settled();
    const name = busiest(lab, before, ({ name }) => !lab.rebooted.has(name));
    const node = cluster.node(name);
    let exit = '';
    const end = async () => {
      lab.tell('lab', `sends SIGTERM to the speaker of ${node.name}`);
      const { code, signal } = await node.stop('SIGTERM');
      exit = code === null ? `ended by ${signal}` : `exit code ${code}`;
    };
    await expectMove(lab, before, { from: name, limitMs: 0 }, end);
    lab.expect('it ends with exit code 0', exit === 'exit code 0', exit);

    const said = await node.cleanup();
    for (const line of said.split('\n')) lab.tell(node.name, line, 'quiet');
    const [lo] = await node.host.query<LoopbackAddresses[]>('addr', 'show', 'dev', 'lo');
    const left = (lo?.addr_info ?? [])
      .map(({ local }) => local)
      .filter((local) => !['127.0.0.1', '::1'].includes(local));
    lab.expect('no service IP is left on lo', left.length === 0, left.join(', ') || 'none left');
    const after = await node.host.readSysctls(ARP_SYSCTLS);
    lab.expect(
      'arp_ignore and arp_announce are as before',
      after.join(' ') === originalSysctls.join(' '),
      `arp_ignore ${after[0]}, arp_announce ${after[1]}`,
    );
  },
};
