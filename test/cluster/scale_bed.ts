// A cluster of 100 nodes in the API server, with thousands of services written past it, and one real speaker among them.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { NodeStatus } from '../../src/lab/arpeggio_node.js';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import { DOOR_SERVER } from '../../src/lab/kubernetes/doors.js';
import { buildOn, type Foundation, takeDown } from '../../src/lab/kubernetes/foundation.js';
import type { NetProcess } from '../../src/lab/net_process.js';
import type { Network } from '../../src/lab/netns.js';
import { readStatus } from '../../src/lab/node_output.js';
import { bulkLoad, sliceObject, storedNode, storedService, storedSlice } from './bulk_load.js';
import { applyDefinitions, configurationOf, POOL_NAMESPACE } from './harness/definitions.js';

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const NODES = 100;
const SPEAKER = 'node-1';
const READY_TIMEOUT_MS = 120_000;
/** Between two writes of the endpoints of one service. */
const FLAP_PAUSE_MS = 10;

const serviceName = (index: number) => `service-${index}`;
const nodeName = (index: number) => `node-${index % NODES}`;
const address = (prefix: string, index: number) => `${prefix}.${(index >> 8) & 255}.${index & 255}`;

/** The only service with policy Cluster: every node may announce it, wherever its endpoints are. */
export const CLUSTER_SERVICE = 0;
/** Its endpoints are on another node than the speaker's, which may not announce it. */
export const FOREIGN_SERVICE = 5;
/** Its only endpoint is on the speaker's node. */
export const OWN_SERVICE = 1;

export const serviceIp = (index: number) => address('198.18', index);

/** Whether the speaker under test owns the address of this service: one in a hundred, as in a whole cluster, and the first. */
export const isOwn = (index: number) => index === CLUSTER_SERVICE || nodeName(index) === SPEAKER;

export class ScaleBed {
  #services = 0;
  #speakers = 0;

  private constructor(private readonly foundation: Foundation) {}

  /** @param program the control plane */
  static create(program: string): Promise<ScaleBed> {
    const spec = {
      switches: [{ name: 'switch' }],
      hosts: [{ name: SPEAKER, interfaces: [{ switch: 'switch', addresses: ['198.18.255.1/15'] }] }],
    };
    return buildOn(program, spec, {}, async (foundation) => {
      const { network, control, doors } = foundation;
      await doors.add(SPEAKER, network.host(SPEAKER).namespace);
      await applyDefinitions(control.api);
      await control.api.applyYaml(configurationOf('198.18.0.0/15'));
      await bulkLoad(
        control.etcdUrl,
        Array.from({ length: NODES }, (_, index) => storedNode(nodeName(index))),
      );
      return new ScaleBed(foundation);
    });
  }

  get control(): ControlPlane {
    return this.foundation.control;
  }

  /** How many services there are. */
  get services(): number {
    return this.#services;
  }

  /** Adds services until there are as many, each with its EndpointSlice. @param watched whether a speaker runs meanwhile */
  async fill(count: number, watched = false): Promise<void> {
    const indices = Array.from({ length: count - this.#services }, (_, index) => this.#services + index);
    const objects = [
      ...indices.map((index) =>
        storedService(serviceName(index), {
          ip: serviceIp(index),
          clusterIP: address('10.96', index + 16),
          policy: index === CLUSTER_SERVICE ? 'Cluster' : 'Local',
        }),
      ),
      ...indices.map((index) => storedSlice(serviceName(index), [nodeName(index)])),
    ];
    await bulkLoad(this.control.etcdUrl, objects, watched ? 1 : undefined);
    this.#services = count;
  }

  /** A speaker that starts as if this node never had one. @param nodeArgs options for node */
  start(nodeArgs: readonly string[] = []): LoneSpeaker {
    this.#speakers += 1;
    const kubeconfig = this.control.kubeconfig('admin', DOOR_SERVER);
    return new LoneSpeaker(this.foundation.network, kubeconfig, `speaker-${this.#speakers}`, nodeArgs);
  }

  /** Where the endpoints of a service are: on its own node, and on others, or nowhere. */
  async endpoints(service: number, on: { readonly own?: boolean; readonly others?: number }): Promise<void> {
    const { own = true, others = 0 } = on;
    const names = Array.from({ length: others + 1 }, (_, index) => nodeName(service + index)).slice(own ? 0 : 1);
    const name = serviceName(service);
    const path = `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/${name}-1`;
    await this.control.api.patch(path, { endpoints: sliceObject(name, names).endpoints });
  }

  /** An endpoint on a further node comes or goes, `count` times. */
  async flap(service: number, count: number): Promise<void> {
    for (let round = 0; round < count; round += 1) {
      await this.endpoints(service, { others: (round + 1) % 2 });
      await sleep(FLAP_PAUSE_MS);
    }
  }

  /** The only endpoint goes or comes, `count` times. */
  async vanish(service: number, count: number): Promise<void> {
    for (let round = 0; round < count; round += 1) {
      await this.endpoints(service, { own: round % 2 === 1 });
      await sleep(FLAP_PAUSE_MS);
    }
  }

  close(): Promise<void> {
    return takeDown(this.foundation);
  }
}

/** The speaker of one node, which hears no other. */
export class LoneSpeaker {
  readonly #process: NetProcess;
  readonly #socket: string;
  readonly #lines: string[] = [];
  readonly #startedMs = performance.now();

  constructor(network: Network, kubeconfig: string, directory: string, nodeArgs: readonly string[]) {
    const stateDir = join(network.directory, directory);
    this.#socket = join(network.directory, `${directory}.sock`);
    const flags = { 'node-name': SPEAKER, namespace: POOL_NAMESPACE, kubeconfig, 'state-dir': stateDir };
    const args = Object.entries({ ...flags, socket: this.#socket }).flatMap(([name, value]) => [`--${name}`, value]);
    // Coverage takes memory and time of its own.
    const argv = ['env', '-u', 'NODE_V8_COVERAGE', process.execPath, ...nodeArgs, CLI, 'speaker', ...args];
    this.#process = network.host(SPEAKER).spawn(argv, (line) => this.#lines.push(line));
  }

  /** Until it says how many services it speaks for. @returns milliseconds since it was started */
  async ready(services: number): Promise<number> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!this.#lines.some((line) => line.includes(`speaks for ${services} services`))) {
      assert.ok(this.#process.isRunning && performance.now() < deadlineMs, this.#lines.slice(-20).join('\n'));
      await sleep(5);
    }
    return performance.now() - this.#startedMs;
  }

  /** Resident set, in MB (10^6 bytes). */
  get rssMb(): number {
    return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(this.#read('status'))![1]) * 1024) / 1e6;
  }

  /** Time on a processor since its start, of all threads; the kernel counts it in nanoseconds. */
  get cpuMs(): number {
    const threads = readdirSync(`/proc/${this.#process.pid}/task`);
    return threads.reduce((sum, thread) => sum + Number(this.#read(`task/${thread}/schedstat`).split(' ')[0]), 0) / 1e6;
  }

  status(): Promise<NodeStatus> {
    return readStatus(this.#socket);
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process.stop(signal);
  }

  #read(name: string): string {
    return readFileSync(`/proc/${this.#process.pid}/${name}`, 'utf8');
  }
}
