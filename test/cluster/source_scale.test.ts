// A speaker in a cluster of 100 nodes with 10,000 services: how much memory it takes, how soon it knows everything, and what a
// flap of one service's endpoints costs it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import { DOOR_SERVER, Doors } from '../../src/lab/kubernetes/doors.js';
import { Network } from '../../src/lab/netns.js';
import { bulkLoad, sliceObject, storedNode, storedService, storedSlice } from './bulk_load.js';
import { applyDefinitions } from './harness/definitions.js';
import { requireCluster } from './harness/requirements.js';

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const NAMESPACE = 'metallb-system';
const NODES = 100;
const FEW = 10;
const MANY = 10_000;
const FLAPS = 100;
const MAX_RSS_MB = 120;
const MAX_READY_MS = 10_000;
/** CPU of a flap at MANY, as a multiple of that at FEW. */
const MAX_GROWTH = 2;
/** Processes that want to run, for each processor: with more than that, times say nothing. */
const BUSY = 3;
/** Clock ticks of /proc/PID/stat (sysconf(_SC_CLK_TCK)). */
const TICKS_PER_S = 100;

const CONFIGURATION = `
apiVersion: v1
kind: Namespace
metadata: { name: ${NAMESPACE} }
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lab, namespace: ${NAMESPACE} }
spec: { addresses: [198.18.0.0/15] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: all, namespace: ${NAMESPACE} }
spec: {}
`;

const serviceName = (index: number) => `service-${index}`;
const nodeName = (index: number) => `node-${index % NODES}`;
const address = (prefix: string, index: number) => `${prefix}.${(index >> 8) & 255}.${index & 255}`;

/** The first is for every node, the others each for one: so the node under test owns its share, as in a whole cluster. */
async function load(control: ControlPlane, from: number, to: number): Promise<void> {
  const indices = Array.from({ length: to - from }, (_, index) => from + index);
  await bulkLoad(control.etcdUrl, [
    ...indices.map((index) =>
      storedService(serviceName(index), {
        ip: address('198.18', index),
        clusterIP: address('10.96', index + 16),
        policy: index === 0 ? 'Cluster' : 'Local',
      }),
    ),
    ...indices.map((index) => storedSlice(serviceName(index), [nodeName(index)])),
  ]);
}

class Speaker {
  readonly #process;
  readonly #lines: string[] = [];

  constructor(network: Network, kubeconfig: string, directory: string) {
    const flags = { 'node-name': 'node-1', namespace: NAMESPACE, kubeconfig, 'state-dir': directory };
    const args = Object.entries({ ...flags, socket: join(directory, 'status.sock') }).flatMap(([name, value]) => [
      `--${name}`,
      value,
    ]);
    this.#process = network
      .host('node-1')
      // Coverage takes memory of its own.
      .spawn(['env', '-u', 'NODE_V8_COVERAGE', process.execPath, CLI, 'speaker', ...args], (line) =>
        this.#lines.push(line),
      );
  }

  /** Until it says how many services it speaks for. */
  async ready(services: number): Promise<void> {
    const deadlineMs = performance.now() + 60_000;
    while (!this.#lines.some((line) => line.includes(`speaks for ${services} services`))) {
      assert.ok(this.#process.pid !== null && performance.now() < deadlineMs, this.#lines.slice(-20).join('\n'));
      await sleep(5);
    }
  }

  get rssMb(): number {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(this.#read('status'))![1]) / 1024;
  }

  get peakMb(): number {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(this.#read('status'))![1]) / 1024;
  }

  /** User and system time since its start. */
  get cpuMs(): number {
    const fields = this.#read('stat').split(') ')[1]!.split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_S;
  }

  async stop(): Promise<void> {
    await this.#process.stop('SIGKILL');
  }

  #read(name: string): string {
    return readFileSync(`/proc/${this.#process.pid}/${name}`, 'utf8');
  }
}

/** Milliseconds of CPU for a flap, what the speaker does anyway taken off. */
async function flapMs(control: ControlPlane, speaker: Speaker, index: number): Promise<number> {
  const name = serviceName(index);
  const path = `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/${name}-1`;
  const both = [[nodeName(index)], [nodeName(index), nodeName(index + 1)]].map((names) => sliceObject(name, names));
  const flap = async (count: number) => {
    for (let round = 0; round < count; round += 1) {
      await control.api.patch(path, { endpoints: both[(round + 1) % 2].endpoints });
      await sleep(10);
    }
  };
  await flap(FLAPS / 2);
  const before = { ms: performance.now(), cpuMs: speaker.cpuMs };
  await flap(FLAPS);
  const busy = { ms: performance.now() - before.ms, cpuMs: speaker.cpuMs - before.cpuMs };
  const idleFrom = speaker.cpuMs;
  await sleep(busy.ms);
  return Math.max(0, busy.cpuMs - (speaker.cpuMs - idleFrom)) / FLAPS;
}

async function measure(t: TestContext, control: ControlPlane, network: Network, services: number) {
  const kubeconfig = control.kubeconfig('admin', DOOR_SERVER);
  const startedMs = performance.now();
  const speaker = new Speaker(network, kubeconfig, join(network.directory, `speaker-${services}`));
  try {
    await speaker.ready(services);
    const readyMs = performance.now() - startedMs;
    // Its share is claimed, its Leases are written.
    await sleep(8_000);
    const { rssMb, peakMb } = speaker;
    const withoutConsequenceMs = await flapMs(control, speaker, 0);
    const toldMs = await flapMs(control, speaker, 5);
    const text = `RSS ${rssMb.toFixed(0)} MB (peak ${peakMb.toFixed(0)}), ready after ${readyMs.toFixed(0)} ms`;
    const flaps = `CPU of a flap ${withoutConsequenceMs.toFixed(2)} ms without consequence, ${toldMs.toFixed(2)} ms with`;
    t.diagnostic(`${services} services: ${text}, ${flaps}`);
    return { rssMb, readyMs, withoutConsequenceMs, toldMs };
  } finally {
    await speaker.stop();
  }
}

test('a speaker among 10,000 services', async (t) => {
  const program = requireCluster(t);
  if (program === null) return;
  const network = await Network.create({
    switches: [{ name: 'switch' }],
    hosts: [{ name: 'node-1', interfaces: [{ switch: 'switch', addresses: ['198.18.255.1/15'] }] }],
  });
  let control: ControlPlane | null = null;
  let doors: Doors | null = null;
  try {
    control = await ControlPlane.start(program);
    doors = new Doors(program, control.address);
    await doors.add('node-1', network.host('node-1').namespace);
    await applyDefinitions(control.api);
    await control.api.applyYaml(CONFIGURATION);
    await bulkLoad(
      control.etcdUrl,
      Array.from({ length: NODES }, (_, index) => storedNode(nodeName(index))),
    );
    await load(control, 0, FEW);
    const few = await measure(t, control, network, FEW);
    await load(control, FEW, MANY);
    const many = await measure(t, control, network, MANY);
    assert.ok(many.rssMb <= MAX_RSS_MB, `RSS ${many.rssMb} MB`);
    if (loadavg()[0]! > BUSY * availableParallelism()) {
      t.diagnostic('the machine is too busy with other things to judge times');
      return;
    }
    assert.ok(many.readyMs <= MAX_READY_MS, `ready after ${many.readyMs} ms`);
    // The clock of the kernel has ticks of 10 ms: over all flaps a few of them are nothing.
    const limitMs = MAX_GROWTH * few.withoutConsequenceMs + 0.5;
    assert.ok(
      many.withoutConsequenceMs <= limitMs,
      `a flap: ${few.withoutConsequenceMs}, ${many.withoutConsequenceMs}`,
    );
  } finally {
    doors?.close();
    network.close();
    await control?.stop();
  }
});
