// `arpeggio controller` with the service account of deploy/base, against a control plane without nodes or networks.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Background } from '../../../src/lab/kubernetes/background.js';
import type { ControlPlane } from '../../../src/lab/kubernetes/control_plane.js';
import type { ApiObject } from '../../../src/lab/kubernetes/lab_api.js';
import { Manifests, NAMESPACE } from '../../../src/lab/kubernetes/manifests.js';

const CLI = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));
export const CONTROLLER_USER = `system:serviceaccount:${NAMESPACE}:arpeggio-controller`;
export const LEASE_PATH = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/arpeggio-controller`;

/** Applies deploy/base and the objects, kinds of which it defines. */
export async function install(control: ControlPlane, objects: readonly ApiObject[]): Promise<void> {
  await (await Manifests.render(control)).apply();
  await control.api.eventually('pools can be made', () => control.api.get('/apis/metallb.io/v1beta1'));
  for (const object of objects)
    await control.api.eventually(`${object.kind} is known`, () => control.api.apply(object));
}

/** Starts it; does not wait for anything. To be stopped by the test before the control plane is. */
export async function startController(control: ControlPlane, name: string, ...args: string[]): Promise<Background> {
  const token = await control.token(NAMESPACE, 'arpeggio-controller');
  const kubeconfig = control.kubeconfig({ token, namespace: NAMESPACE });
  const argv = [process.execPath, CLI, 'controller', '--kubeconfig', kubeconfig, '--identity', name, ...args];
  return new Background(name, argv, join(control.directory, `${name}.log`));
}

/** Who leads, by the Lease; empty: nobody. */
export async function leaderOf(control: ControlPlane): Promise<string> {
  const lease = await control.api.get(LEASE_PATH).catch(() => null);
  return (lease?.spec.holderIdentity ?? '').split('_')[0];
}

/** Addresses in the status of a service. */
export const shownBy = ({ status }: ApiObject): string[] =>
  (status.loadBalancer.ingress ?? []).map(({ ip }: ApiObject) => ip);
