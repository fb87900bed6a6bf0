// deploy/base grants what speaker and controller use, and nothing more: compared with the API server's audit log after
// everything has happened to them that makes them ask for something.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import type { ApiObject } from '../../src/lab/kubernetes/lab_api.js';
import { NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { loadBalancer } from '../../src/lab/kubernetes/objects.js';
import { NODE_NAMES } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio, advertisement, pool } from '../../src/lab/kubernetes/workloads.js';
import { withBed } from './harness/bed.js';
import { granted, used } from './harness/rbac.js';

/** Asked only after a write that came too late, which nobody can order. */
const RARE: Readonly<Record<string, readonly string[]>> = {
  'arpeggio-speaker': [`get coordination.k8s.io/leases in ${NAMESPACE}`],
};

const SERVICES = '/api/v1/namespaces/default/services';
const STATUSES = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/servicel2statuses`;

/** Every node has another interface with a carrier for a while: what is announced, is announced there, too. */
async function moreInterfaces(bed: Bed): Promise<void> {
  const commands = ['link add eth5 type veth peer name cni5', 'link set eth5 up', 'link set cni5 up'];
  await Promise.all(NODE_NAMES.map((node) => bed.host(node).batch(commands)));
  await bed.api.eventually(
    'the statuses name it',
    async () => {
      const statuses = await bed.api.list(STATUSES);
      return statuses.some(({ status }) => status?.interfaces?.some(({ name }: ApiObject) => name === 'eth5'));
    },
    20_000,
  );
  await Promise.all(NODE_NAMES.map((node) => bed.host(node).batch(['link del eth5'])));
}

/** Where MetalLB's own definition is installed, the status is written by itself. */
async function besideMetallb(bed: Bed, arpeggio: Arpeggio): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/servicel2statuses.metallb.io';
  const { spec } = await bed.api.get(path);
  for (const version of spec.versions) version.subresources = { status: {} };
  await bed.api.patch(path, { spec: { versions: spec.versions } });
  await bed.api.eventually('the definition counts', async () => {
    const { resources } = await bed.api.get('/apis/metallb.io/v1beta1');
    return resources.some(({ name }: ApiObject) => name === 'servicel2statuses/status');
  });
  await bed.api.create(SERVICES, loadBalancer('news'));
  await arpeggio.settled(await arpeggio.addresses('news'));
  await bed.api.eventually('the status of the new service is written', async () => {
    const statuses = await bed.api.list(STATUSES);
    return statuses.some(({ status }) => status?.serviceName === 'news');
  });
}

/** Each step makes somebody write something that no other step does. */
async function exercise(bed: Bed, arpeggio: Arpeggio): Promise<void> {
  await bed.api.create(SERVICES, loadBalancer('web'));
  const addresses = await arpeggio.addresses('web');
  const before = await arpeggio.settled(addresses);
  const owner = Object.values(before)[0] as 'node-a';
  await arpeggio.speaker(owner).stop();
  await arpeggio.speaker(owner).start();
  await arpeggio.settled(addresses);
  await moreInterfaces(bed);
  // The leader ends in order, and the other one has to take the Lease over; then somebody is killed.
  await arpeggio.controller('node-a').stop();
  await arpeggio.controller('node-a').start();
  await bed.api.create(SERVICES, loadBalancer('shop'));
  await arpeggio.addresses('shop', 2, 30_000);
  await besideMetallb(bed, arpeggio);
  // A mistake, for the ConfigurationState; it overlaps.
  await bed.api.apply(pool('wrong', ['192.0.2.30-192.0.2.40']));
  await bed.api.eventually('the mistake is told', async () => {
    const [state] = await bed.api.list(`/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/configurationstates`);
    return state?.status?.result === 'Invalid';
  });
  await bed.api.delete(`/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools/wrong`);
  for (const name of ['web', 'shop', 'news']) await bed.api.delete(`${SERVICES}/${name}`);
  await bed.api.eventually('no status of a deleted service is left', async () => {
    const left = await bed.api.list(STATUSES);
    return left.length === 0;
  });
  await arpeggio.stop();
}

test('every call is allowed, and every permission is used', async (t) => {
  await withBed(t, {}, async (bed) => {
    const configuration = [pool('lan'), advertisement('lan')];
    const arpeggio = await Arpeggio.install(bed, { configuration });
    await exercise(bed, arpeggio);
    const audit = bed.control.audit();
    for (const account of ['arpeggio-speaker', 'arpeggio-controller']) {
      const requests = audit.filter(({ user }) => user === `system:serviceaccount:${NAMESPACE}:${account}`);
      assert.ok(requests.length > 0, `${account} asked nothing`);
      const refused = requests.filter(({ status }) => status === 401 || status === 403);
      assert.deepEqual(refused, [], `${account} was refused`);
      const permissions = granted(arpeggio.manifests, account);
      const rare = RARE[account] ?? [];
      const common = (all: ReadonlySet<string>) => [...all].filter((one) => !rare.includes(one)).sort();
      assert.deepEqual(
        common(used(permissions, requests, NAMESPACE)),
        common(permissions),
        `${account}: used, granted`,
      );
      assert.ok(rare.every((one) => permissions.has(one)));
    }
  });
});
