import type { ArpeggioNode } from '../arpeggio_node.js';
import type { LabClient } from '../client.js';
import type { Lab, Scene } from '../lab.js';
import { WEB } from '../stage.js';
import type { Story } from '../story.js';

const MAC = /\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/gi;
const PROGRAM_TIMEOUT_MS = 4000;

const isIpv6 = (address: string) => address.includes(':');

/** The MACs that a program's output names: those of who answered it. */
export function macsIn(output: string): string[] {
  return [...new Set((output.match(MAC) ?? []).map((mac) => mac.toLowerCase()))];
}

async function expectKernel(lab: Lab, client: LabClient, address: string, owner: ArpeggioNode): Promise<void> {
  const error = await client.tcp(address);
  const entry = await client.host.neighbour(address);
  lab.expect(
    `${client.name}: Linux resolves ${address} to its owner, ${owner.name}`,
    entry?.lladdr === owner.mac,
    entry === null ? 'no entry' : `${entry.lladdr ?? 'no MAC'} ${entry.state.join(' ')}`,
  );
  lab.expect(`${client.name}: TCP to ${address} reaches the backend`, error === null, error ?? 'echoed');
}

async function expectPing(lab: Lab, client: LabClient, address: string): Promise<void> {
  const argv = ['ping', '-c', '1', '-W', '1', address];
  const { code, stdout } = await client.host.exec(argv, { allowFailure: true, timeoutMs: PROGRAM_TIMEOUT_MS });
  const time = /time=([\d.]+ ms)/.exec(stdout)?.[1];
  lab.expect(`${client.name}: ping ${address}`, code === 0, time ?? `exit code ${code}`);
}

/** arping or ndisc6, which ask everybody: one host may answer. */
export async function expectResolver(
  lab: Story,
  client: LabClient,
  argv: readonly string[],
  address: string,
  owner: { readonly name: string; readonly mac: string },
): Promise<void> {
  const { stdout } = await client.host.exec(argv, { allowFailure: true, timeoutMs: PROGRAM_TIMEOUT_MS });
  const macs = macsIn(stdout);
  lab.expect(
    `${client.name}: ${argv[0]} ${address} is answered by ${owner.name} alone`,
    macs.length === 1 && macs[0] === owner.mac,
    macs.join(', ') || `no answer: ${stdout.trim().split('\n').at(-1) ?? ''}`,
  );
}

/** Every kind of real client, on both switches. */
export const resolve: Scene = {
  title: 'Real clients resolve the addresses and reach the backend',
  async play(lab) {
    const ping = await lab.isInstalled('ping');
    const arping = await lab.isInstalled('arping');
    const ndisc6 = await lab.isInstalled('ndisc6');
    const owners = await lab.cluster.settled();
    for (const client of lab.clients) {
      for (const address of WEB.addresses) {
        const owner = lab.cluster.node(owners[address] ?? '');
        await expectKernel(lab, client, address, owner);
        if (ping) await expectPing(lab, client, address);
        if (arping && !isIpv6(address))
          await expectResolver(lab, client, ['arping', '-c', '1', '-I', 'eth0', address], address, owner);
        if (ndisc6 && isIpv6(address))
          await expectResolver(lab, client, ['ndisc6', '-1', '-r', '1', address, 'eth0'], address, owner);
      }
    }
  },
};
