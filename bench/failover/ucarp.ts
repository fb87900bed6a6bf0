import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NetProcess } from '../../src/lab/net_process.js';
import type { Bed } from './bed.js';
import { killTree } from './process_tree.js';
import { SERVICES } from './services.js';
import type { Running, System } from './system.js';

const SKEWS = [0, 50, 100] as const;

class RunningUcarp implements Running {
  private readonly processes = new Map<string, NetProcess[]>();

  constructor(private readonly bed: Bed) {}

  async kill(node: string): Promise<void> {
    const all = this.processes.get(node) ?? [];
    for (const { pid } of all) if (pid !== null) killTree(pid);
    await Promise.all(all.map(({ exited }) => exited));
  }

  async terminate(node: string): Promise<void> {
    await Promise.all((this.processes.get(node) ?? []).map((each) => each.stop('SIGTERM', 10_000)));
  }

  async startNode(node: string): Promise<void> {
    const directory = this.bed.directory(node);
    await mkdir(directory, { recursive: true });
    const script = async (name: string, verb: string): Promise<string> => {
      const path = join(directory, name);
      await writeFile(path, `#!/bin/sh\nexec ip address ${verb} "$2/32" dev "$1"\n`, { mode: 0o755 });
      return path;
    };
    const [up, down] = [await script('up', 'add'), await script('down', 'del')];
    const index = this.bed.nodes.indexOf(node);
    const host = this.bed.node(node);
    const own = host.interface().addresses[0]?.split('/')[0] ?? '';
    const started = SERVICES.map(({ ipv4 }, service) => {
      const skew = SKEWS[(index - service + SKEWS.length) % SKEWS.length];
      const identity = ['-i', 'eth0', '-s', own, '-v', `${service + 1}`, '-p', 'bench', '-a', ipv4, '-k', `${skew}`];
      // -z: its way of giving the address away at its end.
      return host.spawn(['ucarp', ...identity, '-u', up, '-d', down, '-z']);
    });
    this.processes.set(node, started);
  }

  async stop(): Promise<void> {
    await Promise.all(this.bed.nodes.map((node) => this.kill(node)));
  }
}

/** One process per address; knows IPv4 only. */
export const UCARP: System = {
  name: 'ucarp',
  title: 'ucarp',
  families: ['ipv4'],
  watchMs: { loss: 3500, other: 3600 },
  async start(bed) {
    const running = new RunningUcarp(bed);
    for (const node of bed.nodes) await running.startNode(node);
    return running;
  },
};
