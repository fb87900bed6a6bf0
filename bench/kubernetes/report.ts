import type { RunFacts } from '../machine.js';
import { figure, percentile } from '../statistics.js';
import { markdownTable } from '../table.js';
import { ROW_NAMES, ROWS, type RowInfo, type Samples } from './rows.js';

export interface KubernetesResults extends RunFacts {
  readonly repetitions: number;
  readonly notes: readonly string[];
  readonly samples: Samples;
}

const shown = (value: number): string => (Number.isInteger(value) || value >= 10 ? value.toFixed(0) : value.toFixed(1));

/** The table, also for the terminal. Only what was measured. */
export function table({ samples }: Pick<KubernetesResults, 'samples'>): string {
  const rows = ROW_NAMES.flatMap((name) => {
    const values = samples[name];
    if (values === undefined || values.length === 0) return [];
    const { title, metallb, goal, judged, limit }: RowInfo = ROWS[name];
    const { median, min, max } = figure(values);
    const seen = min === max ? shown(max) : [median, min, max].map(shown).join('/');
    const judgedValue = { median, max, p99: percentile(values, 0.99) }[judged];
    const verdict = limit === null ? '' : judgedValue <= limit ? 'met' : 'MISSED';
    return [[title, metallb, seen, goal, verdict]];
  });
  return markdownTable(['', 'MetalLB', 'Arpeggio', 'goal', ''], rows);
}

/** Its part of bench/README.md. */
export function readme(results: KubernetesResults): string {
  const minutes = (results.tookSeconds / 60).toFixed(1);
  const facts = [
    `command: \`${results.command}\`, ${results.repetitions} repetitions, ${minutes} minutes, commit ${results.commit}`,
    `date: ${results.startedAt}`,
    `machine: ${results.cpu}; kernel ${results.kernel}; Node ${results.node}`,
    ...results.versions,
    ...results.notes.map((what) => `note: ${what}`),
  ];
  return `## And on Kubernetes?

Written by \`npm run bench:kubernetes\` (a full run; \`-- --quick\` measures less and leaves this file alone). Needs root, Go
and nftables: the control plane is built as for \`npm run test:cluster\`.

${facts.map((fact) => `- ${fact}`).join('\n')}

### How it is measured

- etcd, kube-apiserver and the EndpointSlice controller of Kubernetes itself; three nodes in network namespaces on two
  switches, each with kube-proxy (nftables) and the speaker, two of them with the controller, all with the service accounts,
  arguments and capabilities of deploy/base; three pods, and a client on each switch. All on one machine.
- Clients send a UDP datagram to each address every 2 ms, through kube-proxy to a pod, which echoes it; an echo that takes
  longer than 150 ms is lost. A further program asks for the addresses by ARP and NS every 5 ms (2 ms for a new service).
- *Answered after*: from before the request that creates the service (dual-stack, with a selector; the EndpointSlice comes from
  its controller) to the first answer of the last of its addresses. *Outage*: the longest time without an echo. *Nobody
  answers*: the longest time from a question to the next answer; the node of a killed speaker still passes packets on. *Two
  nodes answer*: how long the former owner answered after the new one had begun. Only addresses of the node in question count.
- *The right node alone*: from the request that makes the only other endpoint unready to the first answer of the new node
  after which the old one gave none; lost packets are those of one client to one address.
- *API requests*: all of speakers and controllers by the API server's audit log, until 10 s after the last service was created;
  at rest for a minute.
- *Ownership records*: Leases of addresses, written when the owner of one of 1,000 is another; a session Lease for each node is
  all that is written at rest.
- *10,000 services, 100 nodes*: Services, EndpointSlices and Nodes are put into etcd; one speaker, that of one of the nodes, runs
  beside them. *CPU of a flap*: an endpoint of one service comes or goes, 100 times in a row; all threads by the kernel's
  count, what the speaker takes at rest taken off; the median of five rounds among 10,000, divided by that among 10.
- MetalLB's column: its main branch of July 2026, measured before on a bed of the same kind. Figures are
  median/min/max. *p99* of fewer than a hundred events is the worst of them.

### How to read it

- API server, etcd, three kube-proxies, speakers, controllers, pods and clients share the cores named above. Outages and lost
  packets hardly depend on that; what begins with a request to the API server does, and its first figures on a machine that
  does something else as well are those of that machine.
- A goal counts for what stands before it: the median of an outage, the worst of what must never happen. *MISSED* with all
  figures but one within the goal is worth a second run of that part: \`-- --only failures\`, \`creation\`, \`burst\`, \`many\` or
  \`scale\`.
- Growth (*10 services = 1*) is a ratio of processor time, and the only figure here that may be compared between machines.

### What was seen

${table(results)}
`;
}
