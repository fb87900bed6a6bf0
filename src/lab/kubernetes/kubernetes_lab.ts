// The stage of `arpeggio lab --kubernetes`: a cluster of three nodes with everything that deploy/base installs, services,
// and clients that use them.
import { once } from 'node:events';
import type { LogLine } from '../arpeggio_node.js';
import type { LabClient } from '../client.js';
import { monotonicMs } from '../monotonic.js';
import { sweep } from '../run_record.js';
import { type Scene, Story } from '../story.js';
import type { Expectation, Timeline } from '../timeline.js';
import { Bed } from './bed.js';
import { NAMESPACE } from './manifests.js';
import { CONTROLLER_NODES, NODE_NAMES, type NodeName } from './stage.js';
import { Arpeggio, type Owners } from './workloads.js';

/** What somebody says again within this time is not told: each of many watches reports for itself. */
const REPEATED_MS = 2000;
const REPEATED_WARNING_MS = 20_000;

export type KubernetesScene = Scene<KubernetesLab>;

export class KubernetesLab extends Story {
  /** Both are set by the first scene. */
  bed!: Bed;
  arpeggio!: Arpeggio;
  /** By service; those that are wanted at present. */
  readonly services = new Map<string, readonly string[]>();
  /** When an actor told something last. */
  private readonly told = new Map<string, number>();

  private constructor(
    private readonly program: string,
    timeline: Timeline,
  ) {
    super(timeline);
  }

  /**
   * Plays the scenes and takes everything down again.
   * @param program the control plane, see program.ts
   * @param keep leave everything standing at the end until Ctrl-C
   */
  static async play(
    program: string,
    scenes: readonly KubernetesScene[],
    timeline: Timeline,
    keep = false,
  ): Promise<readonly Expectation[]> {
    const lab = new KubernetesLab(program, timeline);
    for (const id of sweep()) lab.tell('lab', `removed what the crashed run ${id} had left`, 'quiet');
    try {
      await lab.playAll(scenes, lab);
      if (keep && lab.bed !== undefined) await lab.standUntilInterrupted();
      return lab.expectations;
    } finally {
      await lab.bed?.close();
    }
  }

  /** The cluster without Arpeggio. */
  async build(): Promise<void> {
    this.bed = await Bed.create(this.program);
  }

  /** Applies deploy/base, a pool and an advertisement, and starts the pods as a DaemonSet and a Deployment would. */
  async install(): Promise<void> {
    this.arpeggio = await Arpeggio.install(this.bed, {
      controllers: CONTROLLER_NODES,
      onLog: (pod, line) => this.tellPod(pod, line),
    });
  }

  get clients(): readonly LabClient[] {
    return this.bed.clients;
  }

  get addresses(): readonly string[] {
    return [...this.services.values()].flat();
  }

  settled(): Promise<Owners> {
    return this.arpeggio.settled(this.addresses);
  }

  /** Runs kubectl as the administrator. */
  async kubectl(...args: readonly string[]): Promise<void> {
    this.tell('lab', `runs "kubectl ${args.join(' ')}"`);
    const { stdout } = await this.bed.control.kubectl(...args);
    for (const line of stdout.trim().split('\n')) this.tell('kubectl', line, 'quiet');
  }

  /** The node is dead at once, with all that runs on it. */
  async powerOff(name: NodeName): Promise<void> {
    this.tell(name, 'is switched off', 'bad');
    const controller = this.arpeggio.controller(name);
    await Promise.all([
      this.bed.powerOff(name, this.arpeggio.speaker(name)),
      ...(controller.isRunning ? [controller.stop('SIGKILL')] : []),
    ]);
  }

  /** Resolves when its speaker takes part again. */
  async powerOn(name: NodeName): Promise<void> {
    this.tell(name, 'is switched on');
    await this.bed.powerOn(name);
    await this.arpeggio.speaker(name).start();
    if (CONTROLLER_NODES.includes(name)) await this.arpeggio.controller(name).start();
    await this.settled();
  }

  /** The node of each address by the ownership Leases. */
  async recorded(): Promise<Owners> {
    const leases = await this.bed.api.list(`/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`, {
      labelSelector: 'arpeggio.io/record=owner',
    });
    return Object.fromEntries(
      leases.map(({ metadata, spec }) => [metadata.annotations['arpeggio.io/address'], spec.holderIdentity ?? '']),
    );
  }

  private async standUntilInterrupted(): Promise<void> {
    const { bed } = this;
    for (const { name, namespace } of [
      ...NODE_NAMES.map((node) => bed.host(node)),
      ...this.clients.map(({ host }) => host),
    ])
      this.tell(name, `look around with: ip netns exec ${namespace} bash`);
    this.tell(
      'lab',
      `ask with: ${bed.control.program} kubectl --kubeconfig ${bed.control.kubeconfig('admin')} get services`,
    );
    this.tell('lab', `stands until you press Ctrl-C; from elsewhere: nsenter --target ${process.pid} --all`);
    await once(process, 'SIGINT');
  }

  private tellPod(pod: string, line: LogLine): void {
    const node = pod.replace(/^arpeggio-(speaker|controller)-/, '');
    const actor = pod.startsWith('arpeggio-controller') ? 'controller' : node;
    const msg = line.service === undefined ? line.msg : `${line.msg}: ${line.service}`;
    const key = `${actor} ${msg}`;
    const pauseMs = line.level === 'warn' ? REPEATED_WARNING_MS : REPEATED_MS;
    if (monotonicMs() - (this.told.get(key) ?? Number.NEGATIVE_INFINITY) < pauseMs) return;
    this.told.set(key, monotonicMs());
    this.tellLog(actor, { ...line, msg });
  }
}
