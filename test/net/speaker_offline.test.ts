// `arpeggio speaker` where no API server answers: what is on disk is served, nodes share and replace each other, keys are
// exchanged, and a node that knows nothing waits, alive.
import assert from 'node:assert/strict';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LogLine } from '../../src/lab/arpeggio_node.js';
import type { NetProcess } from '../../src/lab/net_process.js';
import type { Network } from '../../src/lab/netns.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import { parseAddress } from '../../src/net/address.js';
import { encodeState } from '../../src/sources/kubernetes/saved_state.js';
import type { Health, Status } from '../../src/status/schema.js';
import { withNetwork } from './harness/network.js';

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const ADDRESSES = ['192.0.2.10', '192.0.2.11', '2001:db8::10', '2001:db8::11'].map(parseAddress);
const NODES = ['host-a', 'host-b'];

const SPEC: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: NODES.map((name, index) => ({
    name,
    interfaces: [{ switch: 'switch', addresses: [`192.0.2.${index + 1}/24`, `2001:db8::${index + 1}/64`] }],
  })),
};

const KUBECONFIG = {
  ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
  clusters: [{ name: 'test', cluster: { server: 'https://127.0.0.1:9' } }],
  users: [{ name: 'user', user: { token: 'token' } }],
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'user', namespace: 'metallb-system' } }],
};

class Speaker {
  readonly log: LogLine[] = [];
  private process: NetProcess | null = null;

  constructor(
    private readonly network: Network,
    readonly name: string,
  ) {}

  get directory(): string {
    return join(this.network.directory, this.name);
  }

  get keyFile(): string {
    return join(this.directory, 'heartbeat.key');
  }

  async prepare(knows: boolean): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await writeFile(join(this.directory, 'kubeconfig'), JSON.stringify(KUBECONFIG));
    await this.setKeys('the first key of the test');
    const services = [ADDRESSES.slice(0, 2), ADDRESSES.slice(2)].map((addresses, index) => ({
      ...{ name: `default/web-${index}`, addresses, interfaces: null, nodes: NODES },
    }));
    const text = encodeState({ desired: { services, probing: 'fast', lastResort: [] }, configuration: null });
    if (knows) await writeFile(join(this.directory, 'kubernetes.json'), text);
  }

  /** As kubelet does it: in one step. */
  async setKeys(...keys: string[]): Promise<void> {
    await writeFile(`${this.keyFile}.new`, keys.join('\n'), { mode: 0o600 });
    await rename(`${this.keyFile}.new`, this.keyFile);
  }

  start(): void {
    const flags = { kubeconfig: 'kubeconfig', socket: 'status.sock', 'heartbeat-key-file': 'heartbeat.key' };
    const argv = Object.entries(flags).map(([flag, file]) => `--${flag}=${join(this.directory, file)}`);
    argv.push(`--node-name=${this.name}`, `--state-dir=${this.directory}`);
    this.process = this.network.host(this.name).spawn([process.execPath, CLI, 'speaker', ...argv], (line) => {
      this.log.push(JSON.parse(line) as LogLine);
    });
  }

  get output(): string {
    return this.process?.lastOutput.slice(-3000) ?? '';
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    return (await this.process!.stop(signal, 10_000)).code;
  }

  ask<T>(path: string): Promise<{ code: number; body: T }> {
    return new Promise((resolve, reject) => {
      const socketPath = join(this.directory, 'status.sock');
      const call = request({ socketPath, path, agent: false, signal: AbortSignal.timeout(2_000) });
      call.on('error', reject).on('response', async (response) => {
        const body = JSON.parse((await response.toArray()).join('')) as T;
        resolve({ code: response.statusCode ?? 0, body });
      });
      call.end();
    });
  }

  async answers(): Promise<string[]> {
    const { body } = await this.ask<Status>('/api/v1/status');
    return body.addresses.filter(({ answering }) => answering).map(({ address }) => address);
  }

  async until(what: string, holds: () => Promise<boolean> | boolean, limitMs = 10_000): Promise<void> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      try {
        if (await holds()) return;
      } catch {
        // Its socket may not be there yet.
      }
      if (performance.now() > endMs) throw new Error(`${this.name}: not so: ${what}\n${this.output}`);
      await delay(20);
    }
  }

  logged(pattern: RegExp): Promise<void> {
    return this.until(`it logs ${pattern}`, () => this.log.some(({ msg }) => pattern.test(msg)));
  }
}

test('without an API server nodes serve what is on their disks, and replace each other', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const [a, b] = NODES.map((name) => new Speaker(network, name)) as [Speaker, Speaker];
    for (const node of [a, b]) {
      await node.prepare(true);
      node.start();
    }
    const all = [...ADDRESSES].sort();
    // Half of them each, but where one started half a second before the other.
    await a.until('each address has one owner', async () => {
      const [ofA, ofB] = [await a.answers(), await b.answers()];
      return [...ofA, ...ofB].sort().join() === all.join();
    });
    const ofA = await a.answers();
    const { warnings } = (await a.ask<Status>('/api/v1/status')).body;
    assert.ok(warnings.some((text) => /what is announced comes from the state on disk/.test(text)));
    assert.equal(
      warnings.filter((text) => /cannot be read from the API server/.test(text)).length,
      1,
      warnings.join('\n'),
    );
    assert.deepEqual(await a.ask('/healthz'), { code: 200, body: { ok: true, reason: null } });

    // Another key, one node after the other.
    for (const node of [a, b]) await node.setKeys('the first key of the test', 'the second key of the test');
    for (const node of [a, b]) await node.logged(/^the keys of heartbeats have changed/);
    await a.setKeys('short');
    await a.logged(/16 to 256.*the keys that were read before stay in force$/);
    assert.deepEqual(await a.answers(), ofA);

    assert.equal(await b.stop(), 0);
    await a.until('it answers for all', async () => (await a.answers()).length === 4);
    b.start();
    await b.until('it is ready', async () => (await b.ask<Status>('/api/v1/status')).body.state === 'ready');
    assert.deepEqual((await a.answers()).sort(), all, 'nothing moves back by itself');
    assert.equal(await a.stop(), 0);
    await b.until('it answers for all', async () => (await b.answers()).length === 4);
    assert.equal(await b.stop(), 0);
  });
});

test('a node that knows nothing waits for the API server, alive', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const node = new Speaker(network, 'host-a');
    await node.prepare(false);
    node.start();
    await node.until('it can be asked', async () => (await node.ask('/livez')).code === 200);
    await delay(500);
    const { code, body } = await node.ask<Health>('/healthz');
    assert.deepEqual([code, body.ok], [503, false]);
    assert.match(body.reason ?? '', /does not know yet what to announce/);
    assert.equal((await node.ask<Status>('/api/v1/status')).body.state, 'joining');
    assert.deepEqual(await node.answers(), []);
    assert.equal(await node.stop(), 0);
  });
});
