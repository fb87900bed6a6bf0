import { hearEachOther } from '../../scenes/start.js';
import type { KubernetesScene } from '../kubernetes_lab.js';
import { NAMESPACE } from '../manifests.js';
import { CONTROLLER_NODES, NODE_NAMES, POOL } from '../stage.js';

const READY_TIMEOUT_MS = 20_000;
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/arpeggio-controller`;

/** Everything of Kubernetes that takes part is the real program. */
export const start: KubernetesScene = {
  title: 'A Kubernetes cluster starts, and Arpeggio in it',
  async play(lab) {
    lab.tell('lab', 'starts etcd, the API server, controllers; kube-proxy on three nodes, three pods, two clients');
    await lab.build();
    const { gitVersion } = await lab.bed.api.get('/version');
    lab.tell('lab', `Kubernetes ${gitVersion} is there: node-a and node-b on switch 1, node-c on switch 2`);
    lab.tell(
      'lab',
      'runs "kubectl apply --server-side -k deploy/base" and adds an L2Advertisement and an IPAddressPool:',
    );
    lab.tell('lab', POOL.join(', '), 'quiet');
    await lab.install();
    lab.tell('lab', `starts speakers on ${NODE_NAMES.join(', ')} and controllers on ${CONTROLLER_NODES.join(', ')}`);
    const ready = await lab.until(() => hearEachOther([...lab.arpeggio.speakers.values()]), READY_TIMEOUT_MS);
    lab.expect(
      'the speakers are ready and hear each other',
      ready !== null,
      ready === null ? 'not all of them' : `after ${ready} ms`,
    );
    let leader = '';
    const led = await lab.until(async () => {
      leader = (await lab.bed.api.get(LEASE).catch(() => null))?.spec.holderIdentity ?? '';
      return leader !== '';
    }, READY_TIMEOUT_MS);
    lab.expect('one controller leads', led !== null, led === null ? 'none' : (leader.split('_')[0] ?? ''));
  },
};
