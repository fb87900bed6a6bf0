import type { Scene } from '../lab.js';
import { ARP_SYSCTLS } from '../stage.js';

interface LoopbackAddresses {
  readonly addr_info: readonly { readonly local: string }[];
}

/** `arpeggio cleanup`: the node is as it was before. */
export const cleanup: Scene = {
  title: 'arpeggio cleanup puts the node back as it was',
  async play(lab) {
    const { node, originalSysctls } = lab;
    const before = await node.host.readSysctls(ARP_SYSCTLS);
    lab.expect(
      'until then the settings that serve the addresses stay',
      before.join(' ') !== originalSysctls.join(' '),
      `arp_ignore ${before[0]}, arp_announce ${before[1]}`,
    );
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
