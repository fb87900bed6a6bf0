import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NetProcess } from '../../src/lab/net_process.js';
import type { Bed } from './bed.js';
import { killTree } from './process_tree.js';
import { familyOf, SERVICES } from './services.js';
import type { Running, System } from './system.js';

const PRIORITIES = [150, 100, 50] as const;

/** One VRRP instance per family and owner; everything else as it is by default, preemption among it. */
export function keepalivedConfig(nodeIndex: number, advertSeconds: number): string {
  // VRRP 2 knows whole seconds only; IPv6 is VRRP 3 in any case.
  const version = Number.isInteger(advertSeconds) ? '' : '  vrrp_version 3\n';
  const instances = SERVICES.flatMap(({ name, ipv4, ipv6 }, service) =>
    [ipv4, ipv6].map((address) => {
      const family = familyOf(address);
      const priority = PRIORITIES[(nodeIndex - service + PRIORITIES.length) % PRIORITIES.length];
      return `vrrp_instance ${name}_${family} {
  interface eth0
  state BACKUP
  virtual_router_id ${service + 1}
  priority ${priority}
  advert_int ${advertSeconds}
  virtual_ipaddress {
    ${address}/${family === 'ipv4' ? 32 : 128}
  }
}
`;
    }),
  );
  return `global_defs {\n  router_id node_${nodeIndex + 1}\n${version}}\n${instances.join('')}`;
}

export class RunningKeepalived implements Running {
  private readonly processes = new Map<string, NetProcess>();
  private masters = 0;

  constructor(
    private readonly bed: Bed,
    private readonly advertSeconds: number,
  ) {}

  /** How often any instance of any node has become the master. */
  get takeovers(): number {
    return this.masters;
  }

  async kill(node: string): Promise<void> {
    const running = this.processes.get(node);
    if (running?.pid == null) return;
    killTree(running.pid);
    await running.exited;
  }

  async terminate(node: string): Promise<void> {
    await this.processes.get(node)?.stop('SIGTERM', 10_000);
  }

  async startNode(node: string): Promise<void> {
    const directory = this.bed.directory(node);
    await mkdir(directory, { recursive: true });
    const path = (name: string) => join(directory, name);
    const index = this.bed.nodes.indexOf(node);
    await writeFile(path('keepalived.conf'), keepalivedConfig(index, this.advertSeconds));
    const files = ['-f', path('keepalived.conf'), '-p', path('keepalived.pid'), '-r', path('vrrp.pid')];
    // Its log goes to standard error.
    const argv = [
      'sh',
      '-c',
      'exec "$@" 2>&1',
      'sh',
      'keepalived',
      '--dont-fork',
      '--vrrp',
      '--log-console',
      '--log-detail',
      ...files,
    ];
    this.processes.set(
      node,
      this.bed.node(node).spawn(argv, (line) => this.onLog(line)),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.bed.nodes.map((node) => this.kill(node)));
  }

  private onLog(line: string): void {
    if (line.includes('Entering MASTER STATE')) this.masters += 1;
  }
}

export function keepalived(advertSeconds: 1 | 0.1): System {
  const slow = advertSeconds === 1;
  return {
    name: slow ? 'keepalived-1s' : 'keepalived-100ms',
    title: slow ? 'keepalived, 1 s' : 'keepalived, 100 ms',
    families: ['ipv4', 'ipv6'],
    watchMs: slow ? { loss: 3500, other: 3600 } : { loss: 800, other: 3200 },
    async start(bed) {
      const running = new RunningKeepalived(bed, advertSeconds);
      for (const node of bed.nodes) await running.startNode(node);
      return running;
    },
  };
}
