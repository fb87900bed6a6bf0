import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from '../machine.js';
import { type Family, serviceAddresses } from './addresses.js';
import type { Bed } from './bed.js';
import { COMMAND_LINE, type Programs } from './build.js';
import type { Cost } from './generator.js';
import { Companion, run } from './process.js';

export type PeerName = 'kernel' | 'go' | 'tc' | 'arpeggio';

/** Something that answers for `addresses` service IPs once start() has returned. */
export interface Peer {
  readonly name: PeerName;
  readonly title: string;
  /** How many addresses it can be given at most. */
  readonly most: Record<Family, number>;
  start(family: Family, addresses: number): Promise<Running>;
}

export interface Running {
  readonly cost: Cost;
  stop(): Promise<void>;
}

const ANY = 10_000;

/** The kernel answering by itself: the addresses are on the interface. */
function kernel(bed: Bed): Peer {
  return {
    name: 'kernel',
    title: 'the kernel itself',
    // It takes more than half a minute to add 10,000 IPv6 addresses.
    most: { arp: ANY, ndp: 1000 },
    async start(family, addresses) {
      const device = bed.responderInterface;
      await bed.ipBatch(
        serviceAddresses(family, addresses).map((address) =>
          family === 'arp' ? `addr add ${address}/32 dev ${device}` : `addr add ${address}/128 dev ${device} nodad`,
        ),
      );
      return {
        cost: { processes: [] },
        async stop() {
          if (family === 'arp') await bed.ip('-4', 'addr', 'flush', 'dev', device);
          else {
            // Removes all at once, where removing one after the other takes milliseconds each.
            await bed.sysctl(`net.ipv6.conf.${device}.disable_ipv6=1`);
            await bed.sysctl(`net.ipv6.conf.${device}.disable_ipv6=0`);
          }
          await bed.setNodeAddress(family);
        },
      };
    },
  };
}

/** Go under Arpeggio's conditions: its IPv4 addresses are on lo too, where the kernel keeps silent about them. */
function go(bed: Bed, program: string): Peer {
  return {
    name: 'go',
    title: 'Go (mdlayher)',
    most: { arp: ANY, ndp: ANY },
    async start(family, addresses) {
      if (family === 'arp') {
        await bed.sysctl('net.ipv4.conf.all.arp_ignore=1');
        await bed.ipBatch(serviceAddresses(family, addresses).map((address) => `addr add ${address}/32 dev lo`));
      }
      const flags = ['-interface', bed.responderInterface, '-family', family, '-addresses', `${addresses}`];
      const companion = new Companion(bed.onResponder(program, ...flags));
      return {
        cost: { processes: [companion.pid] },
        async stop() {
          await companion.stop();
          await bed.reset();
        },
      };
    },
  };
}

function tc(bed: Bed, object: string): Peer {
  return {
    name: 'tc',
    title: 'BPF at tc (clsact)',
    most: { arp: ANY, ndp: ANY },
    async start(family, addresses) {
      const device = bed.responderInterface;
      await bed.tc('qdisc', 'add', 'dev', device, 'clsact');
      await bed.tc('filter', 'add', 'dev', device, 'ingress', 'bpf', 'da', 'obj', object, 'sec', 'tc');
      const program = /\bid (\d+)/.exec(await bed.tc('filter', 'show', 'dev', device, 'ingress'))?.[1];
      if (program === undefined) throw new Error('tc shows no program');
      const flags = ['--program', program, '--family', family, '--addresses', `${addresses}`];
      await run([bed.generatorProgram, 'fill-map', ...flags]);
      return {
        cost: { processes: [] },
        async stop() {
          await bed.tc('qdisc', 'del', 'dev', device, 'clsact');
        },
      };
    },
  };
}

/**
 * `arpeggio run` from a file of one service per address. For IPv6 it runs with `serve: none`, because the kernel takes
 * more than half a minute to put 10,000 addresses on lo; which frames are answered does not depend on it.
 */
export function arpeggio(bed: Bed): Peer {
  return {
    name: 'arpeggio',
    title: 'Arpeggio',
    most: { arp: ANY, ndp: ANY },
    async start(family, addresses) {
      const config = writeConfig(bed, family === 'arp' ? 'loopback' : 'none', serviceAddresses(family, addresses));
      const companion = await runArpeggio(bed, config);
      return {
        cost: { processes: [companion.pid] },
        async stop() {
          await companion.stop();
          await bed.reset();
        },
      };
    },
  };
}

export function writeConfig(bed: Bed, serve: 'loopback' | 'none', addresses: readonly string[]): string {
  const file = join(CACHE, 'arpeggio.yaml');
  const services = addresses.map((address, index) => `  - name: service-${index}\n    addresses: ["${address}"]\n`);
  const head = `node: bench\ninterfaces: [${bed.responderInterface}]\nserve: ${serve}\nprobing: none\nservices:\n`;
  writeFileSync(file, head + services.join(''));
  return file;
}

export async function runArpeggio(bed: Bed, config: string): Promise<Companion> {
  return new Companion(bed.onResponderWithRun(process.execPath, COMMAND_LINE, 'run', '--config', config));
}

/** Resident memory of a process, in MB. */
export function residentMb(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes ?? 0) / 1024;
}

/** In the order of the tables. */
export function availablePeers(bed: Bed, programs: Programs): Peer[] {
  const peers: Peer[] = [arpeggio(bed), kernel(bed)];
  if (programs.goResponder !== null) peers.push(go(bed, programs.goResponder));
  if (programs.bpfObject !== null) peers.push(tc(bed, programs.bpfObject));
  return peers;
}
