import { monotonicMs } from '../../monotonic.js';
import { expectResolver } from '../../scenes/resolve.js';
import { shares } from '../../scenes/start.js';
import type { KubernetesLab, KubernetesScene } from '../kubernetes_lab.js';
import { loadBalancer } from '../objects.js';
import { NODE_NAMES } from '../stage.js';
import { sendAnew } from './machine.js';
import { expectResolved } from './moves.js';

export const WEB = 'web';
/** Its nodes keep the client's address: externalTrafficPolicy Local. */
export const LOCAL = 'local';
/** Deleted in the end. */
export const SHOP = 'shop';

const PATH = '/api/v1/namespaces/default/services';
/** The goal is 200 ms, and a machine that runs a whole cluster is busy. */
const REACHED_LIMIT_MS = 2000;
const GIVE_UP_MS = 10_000;
/** Of one try: a SYN that comes before kube-proxy has its rules is lost, and repeated after a second. */
const ASKED_MS = 300;
const RECORDED_TIMEOUT_MS = 10_000;

async function create(lab: KubernetesLab, name: string, spec: object = {}): Promise<readonly string[]> {
  await lab.bed.api.create(PATH, loadBalancer(name, { spec: { ...spec } }));
  const addresses = await lab.arpeggio.addresses(name, 2, GIVE_UP_MS);
  lab.services.set(name, addresses);
  return addresses;
}

/** From its creation to the first web page by each address, of which nobody knows before. */
async function expectReached(lab: KubernetesLab, name: string): Promise<void> {
  const [client] = lab.clients;
  if (client === undefined) return;
  lab.tell('lab', `creates the service ${name}, of type LoadBalancer and both families`);
  const since = monotonicMs();
  const addresses = await create(lab, name);
  lab.tell('lab', `its status has ${addresses.join(' and ')} after ${Math.round(monotonicMs() - since)} ms`);
  const reached = addresses.map(async (address) => {
    let pod = '';
    const asked = async () => {
      pod = await lab.bed.curl('client-1', address, ASKED_MS).then(
        (answer) => answer.pod,
        () => '',
      );
      return pod !== '';
    };
    const took = (await lab.until(asked, GIVE_UP_MS, 5)) === null ? null : monotonicMs() - since;
    return { address, pod, took };
  });
  for (const { address, pod, took } of await Promise.all(reached)) {
    lab.expect(
      `curl ${address} reaches a pod within ${REACHED_LIMIT_MS} ms of the creation`,
      took !== null && took <= REACHED_LIMIT_MS,
      took === null ? 'no answer' : `${pod} after ${Math.round(took)} ms`,
    );
  }
}

/** Every address from both clients, by curl. */
async function expectServed(lab: KubernetesLab): Promise<void> {
  for (const { name } of lab.clients) {
    const pods = await Promise.all(
      lab.addresses.map((address) =>
        lab.bed.curl(name as 'client-1', address).then(
          ({ pod }) => pod,
          (error: Error) => error.message,
        ),
      ),
    );
    lab.expect(
      `${name}: curl reaches a pod at each address`,
      pods.every((pod) => /^pod-/.test(pod)),
      pods.join(' '),
    );
  }
}

/** Pool, controller, speaker, ARP and NDP, kube-proxy, pod: all of it in one go. */
export const services: KubernetesScene = {
  title: 'Services are created, and clients reach them',
  async play(lab) {
    await expectReached(lab, WEB);
    lab.tell('lab', `creates the services mail, ${SHOP}, and ${LOCAL} with externalTrafficPolicy Local`);
    await create(lab, 'mail');
    await create(lab, SHOP);
    await create(lab, LOCAL, { externalTrafficPolicy: 'Local' });
    const { addresses } = lab;
    const owners = await lab.settled();
    lab.expect('each address has one owner', addresses.length === 8, shares(NODE_NAMES, owners));
    await lab.kubectl('get', 'services');
    await sendAnew(lab);
    lab.tell('clients', `send to ${addresses.length} addresses every 2 ms`);
    await expectServed(lab);
    await expectResolved(lab, addresses, owners);
    const [arping, ndisc6] = [await lab.isInstalled('arping'), await lab.isInstalled('ndisc6')];
    for (const client of lab.clients) {
      for (const address of lab.services.get(WEB) ?? []) {
        const owner = lab.bed.host(owners[address] ?? '');
        const isIpv6 = address.includes(':');
        if (arping && !isIpv6)
          await expectResolver(lab, client, ['arping', '-c', '1', '-I', 'eth0', address], address, owner);
        if (ndisc6 && isIpv6)
          await expectResolver(lab, client, ['ndisc6', '-1', '-r', '1', address, 'eth0'], address, owner);
      }
    }
    await expectRecorded(lab);
  },
};

/** Expects that the Leases say who owns what. */
export async function expectRecorded(lab: KubernetesLab): Promise<void> {
  const owners = await lab.settled();
  const isSo = async () => {
    const recorded = await lab.recorded();
    return lab.addresses.every((address) => recorded[address] === owners[address]);
  };
  const took = await lab.until(isSo, RECORDED_TIMEOUT_MS);
  lab.expect(
    'the Lease of each address names its owner',
    took !== null,
    took === null ? `not after ${RECORDED_TIMEOUT_MS / 1000} s` : `${lab.addresses.length} Leases`,
  );
}

/** What is not wanted any more is answered by nobody. */
export const deletion: KubernetesScene = {
  title: 'A service is deleted',
  async play(lab) {
    const gone = lab.services.get(SHOP) ?? [];
    await lab.kubectl('delete', 'service', SHOP);
    const isAnswered = async () => {
      const statuses = await Promise.all([...lab.arpeggio.speakers.values()].map((speaker) => speaker.status()));
      return statuses.some((status) =>
        status.addresses.some(({ address, answering }) => answering && gone.includes(address)),
      );
    };
    const took = await lab.until(async () => !(await isAnswered()), GIVE_UP_MS);
    lab.services.delete(SHOP);
    lab.expect('nobody answers for its addresses', took !== null, took === null ? 'still answered' : gone.join(', '));
    await lab.settled();
  },
};
