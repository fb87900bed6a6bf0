// Arpeggio on the bed, exactly as deploy/base has it.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LogLine } from '../arpeggio_node.js';
import { look, type Owners, settledOwners } from '../owners.js';
import type { Bed } from './bed.js';
import type { ApiObject } from './lab_api.js';
import { Manifests, NAMESPACE } from './manifests.js';
import { PodProcess, type PodProcessOptions } from './pod_process.js';
import { CONTROLLER_NODES, NODE_NAMES, type NodeName, POOL } from './stage.js';

const SETTLE_TIMEOUT_MS = 20_000;
/** Two looks at the speakers that far apart must agree. */
const STABLE_MS = 200;

export type { Owners };

export interface ArpeggioOptions {
  /** Further flags of every speaker. */
  readonly speakerArgs?: readonly string[];
  readonly controllerArgs?: readonly string[];
  /** Nodes with a speaker from the beginning; default all. */
  readonly speakers?: readonly NodeName[];
  /** Nodes with a controller from the beginning; default {@link CONTROLLER_NODES}. */
  readonly controllers?: readonly NodeName[];
  /** Applied before anything starts; default a pool of both families and an advertisement for it. */
  readonly configuration?: readonly ApiObject[];
  /** @param pod such as "arpeggio-speaker-node-a" */
  readonly onLog?: (pod: string, line: LogLine) => void;
}

export function pool(name: string, addresses: readonly string[] = POOL, spec: object = {}): ApiObject {
  const metadata = { name, namespace: NAMESPACE };
  return { apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata, spec: { addresses, ...spec } };
}

export function advertisement(name: string, spec: object = {}): ApiObject {
  const metadata = { name, namespace: NAMESPACE };
  return { apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement', metadata, spec };
}

export class Arpeggio {
  readonly speakers = new Map<NodeName, PodProcess>();
  readonly controllers = new Map<NodeName, PodProcess>();

  private constructor(
    readonly bed: Bed,
    readonly manifests: Manifests,
  ) {}

  /** Applies deploy/base and the configuration, and starts what the options say. Does not wait for it. */
  static async install(bed: Bed, options: ArpeggioOptions = {}): Promise<Arpeggio> {
    const manifests = await Manifests.render(bed.control);
    await manifests.apply();
    await bed.api.eventually('pools can be made', () => bed.api.get('/apis/metallb.io/v1beta1'));
    for (const object of options.configuration ?? [pool('lan'), advertisement('lan')]) {
      await bed.api.eventually(`${object.kind} is known`, () => bed.api.apply(object));
    }
    const arpeggio = new Arpeggio(bed, manifests);
    const { speakers = NODE_NAMES, controllers = CONTROLLER_NODES } = options;
    for (const node of NODE_NAMES) {
      const { speakerArgs = [], controllerArgs = [], onLog = () => {} } = options;
      const plan = (name: string, args: readonly string[]): PodProcessOptions => ({
        args,
        onLog: (line) => onLog(`${name}-${node}`, line),
      });
      const [speaker, controller] = ['arpeggio-speaker', 'arpeggio-controller'];
      arpeggio.speakers.set(node, arpeggio.pod('DaemonSet', speaker, node, plan(speaker, speakerArgs)));
      arpeggio.controllers.set(node, arpeggio.pod('Deployment', controller, node, plan(controller, controllerArgs)));
    }
    for (const node of speakers) await arpeggio.speaker(node).start();
    for (const node of controllers) await arpeggio.controller(node).start();
    return arpeggio;
  }

  speaker(node: NodeName): PodProcess {
    return this.speakers.get(node) as PodProcess;
  }

  controller(node: NodeName): PodProcess {
    return this.controllers.get(node) as PodProcess;
  }

  /** status.loadBalancer of a service, once it has as many addresses. */
  async addresses(service: string, count = 2, timeoutMs = 10_000): Promise<string[]> {
    return this.bed.api.eventually(
      `${service} has ${count} addresses`,
      async () => {
        const { status } = await this.bed.api.get(`/api/v1/namespaces/default/services/${service}`);
        const found = (status.loadBalancer.ingress ?? []).map(({ ip }: ApiObject) => ip as string);
        return found.length === count && found;
      },
      timeoutMs,
    );
  }

  /** Waits until each address has exactly one speaker that answers, twice in a row; fails with what the speakers said. */
  async settled(addresses: readonly string[], timeoutMs = SETTLE_TIMEOUT_MS): Promise<Owners> {
    const logs = () =>
      [...this.speakers.values(), ...this.controllers.values()]
        .filter(({ log }) => log.length > 0)
        .map(({ name, lastOutput }) => `--- ${name}:\n${lastOutput}`)
        .join('\n');
    return settledOwners(this.speakers, addresses, { timeoutMs, stableMs: STABLE_MS }, logs);
  }

  /** What the other speakers answer for at this moment, whatever the one believes. */
  async ownersWithout(node: NodeName, addresses: readonly string[]): Promise<Owners> {
    const others = new Map([...this.speakers].filter(([name]) => name !== node));
    return (await look(others, addresses)).owners;
  }

  /** Ends what runs. */
  async stop(): Promise<void> {
    const running = [...this.speakers.values(), ...this.controllers.values()].filter(({ isRunning }) => isRunning);
    await Promise.all(running.map((pod) => pod.stop()));
  }

  private pod(kind: string, name: string, node: NodeName, options: PodProcessOptions): PodProcess {
    const { bed, manifests } = this;
    const workload = manifests.find(kind, name);
    const podName = `${name}-${node}`;
    const directory = join(bed.network.directory, podName);
    mkdirSync(directory, { recursive: true });
    return new PodProcess({
      host: bed.host(node),
      control: bed.control,
      manifests,
      workload,
      podName,
      directory,
      options,
    });
  }
}
