// A cluster: three nodes on two switches, each with the real kube-proxy, pods as processes behind real EndpointSlices,
// clients on both switches, and a real control plane. Speakers and controllers come with workloads.ts.
import { fileURLToPath } from 'node:url';
import { ArpeggioError } from '../../errors.js';
import { BACKEND_PORT, startBackend } from '../backend.js';
import { LabClient } from '../client.js';
import type { Host } from '../host.js';
import type { NetProcess } from '../net_process.js';
import type { Network } from '../netns.js';
import type { ControlPlane, ControlPlaneOptions } from './control_plane.js';
import type { Doors } from './doors.js';
import { buildOn, type Foundation, takeDown } from './foundation.js';
import { startKubeProxy } from './kube_proxy.js';
import type { ApiObject, LabApi } from './lab_api.js';
import { nodeObject, nodeStatus, podObject, podStatus } from './objects.js';
import {
  CLIENT_NAMES,
  clusterSpec,
  HTTP_PORT,
  NODE_NAMES,
  type NodeName,
  POD_INTERFACE,
  POD_NAMES,
  type PodName,
  podAddresses,
  podRoutes,
  SWITCHES,
} from './stage.js';

const HTTP_SERVER = fileURLToPath(new URL('../programs/http_server.js', import.meta.url));
const CONTROLLERS = ['endpointslice-controller', 'garbage-collector-controller'];

export interface BedOptions extends ControlPlaneOptions {
  /** Of the clients; default those of a client in a hurry. */
  readonly clientSysctls?: Readonly<Record<string, string>>;
}

/** What a pod's web server said, and who asked it. */
export interface HttpAnswer {
  readonly pod: string;
  readonly from: string;
}

export class Bed {
  readonly clients: readonly LabClient[];
  private readonly proxies = new Map<NodeName, NetProcess>();

  readonly network: Network;
  readonly control: ControlPlane;
  readonly doors: Doors;

  private constructor({ network, control, doors }: Foundation) {
    this.network = network;
    this.control = control;
    this.doors = doors;
    this.clients = CLIENT_NAMES.map((name) => new LabClient(network.host(name), BACKEND_PORT));
  }

  /** Builds everything and waits until every kube-proxy and every pod is there. Takes about ten seconds. */
  static create(program: string, options: BedOptions = {}): Promise<Bed> {
    const spec = clusterSpec(options.clientSysctls);
    return buildOn(program, spec, { controllers: CONTROLLERS, ...options }, async (foundation) => {
      const bed = new Bed(foundation);
      await bed.setUp();
      return bed;
    });
  }

  get api(): LabApi {
    return this.control.api;
  }

  host(name: string): Host {
    return this.network.host(name);
  }

  client(name: (typeof CLIENT_NAMES)[number]): LabClient {
    return this.clients[CLIENT_NAMES.indexOf(name)] as LabClient;
  }

  kubeProxy(name: NodeName): NetProcess {
    return this.proxies.get(name) as NetProcess;
  }

  /** Whether kubelet says that the node is ready; also `unschedulable`, which is cordon. */
  async setNode(name: NodeName, state: { readonly ready?: boolean; readonly cordoned?: boolean }): Promise<void> {
    const path = `/api/v1/nodes/${name}`;
    if (state.cordoned !== undefined) await this.api.patch(path, { spec: { unschedulable: state.cordoned } });
    if (state.ready !== undefined) await this.api.patch(`${path}/status`, nodeStatus(name, state.ready));
  }

  /**
   * The node is dead at once: no cable, no speaker, no API. Its pods are on a network of their own and live on, so that what is
   * lost is lost by the failover, not by an endpoint that kube-proxy does not know to be gone.
   */
  async powerOff(name: NodeName, speaker: { stop(signal: NodeJS.Signals): Promise<unknown> }): Promise<void> {
    await Promise.all([
      this.network.setCable(name, 'down'),
      this.network.setCable(name, 'down', POD_INTERFACE),
      this.doors.cut(name),
      speaker.stop('SIGKILL'),
    ]);
  }

  /** After {@link powerOff}; the speaker is started by who knows it. */
  async powerOn(name: NodeName): Promise<void> {
    await this.doors.open(name);
    await this.network.setCable(name, 'up', POD_INTERFACE);
    await this.network.setCable(name, 'up');
  }

  /** Whether the switches drop heartbeats and claims, and nothing else. */
  async filterHeartbeats(drop: boolean): Promise<void> {
    const rule =
      'add chain bridge lab forward { type filter hook forward priority 0; }; add rule bridge lab forward ether type 0x88b5 drop';
    const script = drop ? `add table bridge lab; ${rule}` : 'delete table bridge lab';
    for (const name of SWITCHES) await this.network.execOnSwitch(name, ['nft', script]);
  }

  /** Whether the pod's readiness probe succeeds: it comes into the EndpointSlices, or leaves them. */
  async setPod(name: PodName, ready: boolean): Promise<void> {
    await this.api.patch(`/api/v1/namespaces/default/pods/${name}/status`, podStatus(name, ready));
  }

  /** An endpoint of these pods, and of no others, for the service. */
  async endpoints(service: string, pods: readonly PodName[]): Promise<void> {
    await this.api.eventually(`${service} has the endpoints ${pods.join(', ')}`, async () => {
      const slices = await this.api.list('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
        labelSelector: `kubernetes.io/service-name=${service}`,
      });
      const serving = slices.flatMap(({ endpoints }: ApiObject) =>
        (endpoints ?? []).filter(({ conditions }: ApiObject) => conditions.ready !== false),
      );
      const names = new Set(serving.map(({ targetRef }: ApiObject) => targetRef.name));
      return names.size === pods.length && pods.every((pod) => names.has(pod));
    });
  }

  /** `curl` on a client; fails when no pod answers within `timeoutMs`. */
  async curl(client: (typeof CLIENT_NAMES)[number], address: string, timeoutMs = 2000): Promise<HttpAnswer> {
    const url = address.includes(':') ? `http://[${address}]/` : `http://${address}/`;
    const argv = ['curl', '--silent', '--show-error', '--globoff', '--max-time', String(timeoutMs / 1000), url];
    const { stdout } = await this.host(client).exec(argv, { timeoutMs: timeoutMs + 3000 });
    return JSON.parse(stdout) as HttpAnswer;
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.stop().catch(() => {})));
    await takeDown(this);
  }

  private async setUp(): Promise<void> {
    const { api } = this;
    await Promise.all(NODE_NAMES.map((name) => this.doors.add(name, this.host(name).namespace)));
    await Promise.all(POD_NAMES.map((name) => this.host(name).batch(podRoutes(name))));
    const backends = POD_NAMES.flatMap((name) => [
      startBackend(this.host(name), podAddresses(name)),
      this.startWeb(name),
    ]);
    // Pods need it; its controller does not run.
    await api.eventually('the default namespace is there', () => api.get('/api/v1/namespaces/default'));
    await api.create('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    await Promise.all(
      NODE_NAMES.map(async (name) => {
        await api.create('/api/v1/nodes', nodeObject(name));
        await this.setNode(name, { ready: true });
        this.proxies.set(name, startKubeProxy(this.host(name), this.control));
      }),
    );
    await Promise.all(
      POD_NAMES.map(async (name) => {
        await api.create('/api/v1/namespaces/default/pods', podObject(name, { app: 'web', pod: name }));
        await this.setPod(name, true);
      }),
    );
    await Promise.all(backends);
    await Promise.all(NODE_NAMES.map((name) => this.proxyReady(name)));
  }

  private startWeb(name: PodName): Promise<void> {
    return new Promise((resolve, reject) => {
      const web = this.host(name).spawn([process.execPath, HTTP_SERVER, name, String(HTTP_PORT)], () => resolve());
      web.exited.then(() => reject(new ArpeggioError('ERR_SYSTEM', `the web server ended: ${web.lastOutput}`)), reject);
    });
  }

  /** Resolves when kube-proxy has written its first rules. */
  private async proxyReady(name: NodeName): Promise<void> {
    const host = this.host(name);
    await this.api.eventually(
      `kube-proxy of ${name} has written its rules`,
      async () => {
        const proxy = this.kubeProxy(name);
        if (!proxy.isRunning) throw new ArpeggioError('ERR_SYSTEM', proxy.lastOutput.slice(-2000));
        return (await host.exec(['nft', 'list', 'tables'])).stdout.includes('kube-proxy');
      },
      30_000,
    );
  }
}
