// What speakers have written, as the API server and its audit log show it.
import assert from 'node:assert/strict';
import type { AuditEvent } from '../../../src/lab/kubernetes/audit.js';
import type { Bed } from '../../../src/lab/kubernetes/bed.js';
import type { ApiObject } from '../../../src/lab/kubernetes/lab_api.js';
import { NAMESPACE } from '../../../src/lab/kubernetes/manifests.js';
import { assigned, loadBalancer } from '../../../src/lab/kubernetes/objects.js';
import type { Owners } from '../../../src/lab/kubernetes/workloads.js';

const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
const STATUSES = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/servicel2statuses`;
const READING = new Set(['get', 'list', 'watch']);
const TOLD_MS = 15_000;

/** Addresses by service. */
export type Services = Readonly<Record<string, readonly string[]>>;

/** Services of both families with addresses that no controller assigned. */
export async function assignedServices(bed: Bed, names: readonly string[], spec: object = {}): Promise<Services> {
  const services: Record<string, string[]> = {};
  for (const [index, name] of names.entries()) {
    const addresses = [`192.0.2.${16 + index}`, `2001:db8::1:${(16 + index).toString(16)}`];
    await bed.api.create('/api/v1/namespaces/default/services', loadBalancer(name, { spec: { ...spec } }));
    await bed.api.patch(`/api/v1/namespaces/default/services/${name}/status`, assigned(...addresses));
    services[name] = addresses;
  }
  return services;
}

export class SpeakerEyes {
  constructor(private readonly bed: Bed) {}

  /** What speakers wrote so far, and was not refused. */
  writes(): AuditEvent[] {
    return this.requests().filter(({ verb, status }) => !READING.has(verb) && status < 300);
  }

  /** All that speakers asked so far. */
  requests(): AuditEvent[] {
    return this.bed.control.audit().filter(({ user }) => /:arpeggio-speaker$/.test(user));
  }

  /** Who owns an address by its Lease, and for the how-manieth time; null without one. */
  async record(address: string): Promise<{ node: string; term: number } | null> {
    const leases = await this.bed.api.list(LEASES, { labelSelector: 'arpeggio.io/record=owner' });
    const found = leases.find(({ metadata }) => metadata.annotations['arpeggio.io/address'] === address);
    return found ? { node: found.spec.holderIdentity, term: found.spec.leaseTransitions } : null;
  }

  /** Addresses that belong to some node by their Lease. */
  async recorded(): Promise<string[]> {
    const leases = await this.bed.api.list(LEASES, { labelSelector: 'arpeggio.io/record=owner' });
    return leases.flatMap(({ metadata, spec }) =>
      spec.holderIdentity ? [String(metadata.annotations['arpeggio.io/address'])] : [],
    );
  }

  /** Holder of each node's session. */
  async sessions(): Promise<Record<string, string>> {
    const leases = await this.bed.api.list(LEASES, { labelSelector: 'arpeggio.io/record=session' });
    return Object.fromEntries(
      leases.map(({ metadata, spec }) => [metadata.annotations['arpeggio.io/node'], spec.holderIdentity ?? '']),
    );
  }

  async statuses(): Promise<{ service: string; node: string; interfaces: string[]; addresses: string }[]> {
    return (await this.bed.api.list(STATUSES)).map(({ metadata, status }: ApiObject) => {
      assert.equal(metadata.labels['metallb.io/node'], status?.node ?? metadata.labels['metallb.io/node']);
      return {
        service: status?.serviceName,
        node: status?.node,
        interfaces: (status?.interfaces ?? []).map(({ name }: ApiObject) => name),
        addresses: metadata.annotations?.['arpeggio.io/addresses'] ?? '',
      };
    });
  }

  /** "service node" of every event with this reason, repeated ones too; sorted. */
  async events(reason: string): Promise<string[]> {
    const events = await this.bed.api.list('/api/v1/namespaces/default/events', { fieldSelector: `reason=${reason}` });
    return events
      .flatMap(({ involvedObject, source, count }) =>
        Array.from({ length: count ?? 1 }, () => `${involvedObject.name} ${source.host}`),
      )
      .sort();
  }
}

/** Waits until Leases and ServiceL2Status objects say what is so. */
export async function ownershipTold(eyes: SpeakerEyes, services: Services, owners: Owners): Promise<void> {
  const deadline = performance.now() + TOLD_MS;
  for (;;) {
    try {
      for (const [address, node] of Object.entries(owners))
        assert.equal((await eyes.record(address))?.node, node, address);
      const said = (await eyes.statuses()).map(
        ({ service, node, interfaces, addresses }) => `${service} ${node} ${interfaces} ${addresses}`,
      );
      const so = Object.entries(services).flatMap(([service, addresses]) =>
        [...new Set(addresses.map((address) => owners[address]))].map(
          (node) => `${service} ${node} eth0 ${addresses.filter((address) => owners[address] === node)}`,
        ),
      );
      assert.deepEqual(said.sort(), so.sort());
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
