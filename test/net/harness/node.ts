import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ArpeggioNode, type NodeService } from '../../../src/lab/arpeggio_node.js';
import type { Network } from '../../../src/lab/netns.js';

const ANSWER_TIMEOUT_MS = 10_000;

/** Waits until the node says that it answers for all of these addresses and for no others. */
export async function answersFor(
  node: ArpeggioNode,
  addresses: readonly string[],
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<void> {
  const wanted = [...addresses].sort().join(' ');
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    // Its socket may not be there yet.
    const status = await node.status().catch(() => null);
    const answered = (status?.addresses ?? []).filter(({ answering }) => answering).map(({ address }) => address);
    if (answered.sort().join(' ') === wanted) return;
    assert.ok(node.isRunning, `${node.name} has ended:\n${node.lastOutput}`);
    assert.ok(
      performance.now() < deadline,
      `${node.name} answers for [${answered.join(' ')}], not for [${wanted}], after ${timeoutMs} ms:\n${node.lastOutput}`,
    );
    await delay(20);
  }
}

/** Runs `arpeggio run` on a host of the network and waits until it answers for every address of the services. */
export async function startNode(
  network: Network,
  hostName: string,
  services: readonly NodeService[],
  settings: Readonly<Record<string, unknown>> = {},
): Promise<ArpeggioNode> {
  const directory = join(network.directory, hostName);
  const node = new ArpeggioNode(network.host(hostName), { directory, settings });
  await node.configure(services);
  node.start();
  await answersFor(
    node,
    services.flatMap(({ addresses }) => addresses),
  );
  return node;
}
