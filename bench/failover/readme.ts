import { sections } from './report.js';
import type { FailoverResults } from './results.js';

/** Its part of bench/README.md: how it was measured, and what one full run saw. */
export function readme(results: FailoverResults): string {
  const minutes = (results.tookSeconds / 60).toFixed(1);
  const facts = [
    `command: \`${results.command}\`, ${results.repetitions} repetitions, ${minutes} minutes, commit ${results.commit}`,
    `date: ${results.startedAt}`,
    `machine: ${results.cpu}; kernel ${results.kernel}; Node ${results.node}`,
    ...results.versions,
    ...results.missing.map((what) => `left out: ${what}`),
    ...results.notes.map((what) => `note: ${what}`),
  ];
  return `## What does a client notice?

Written by \`npm run bench:failover\` (a full run; \`-- --quick\` measures less and leaves this file alone). Needs root,
iproute2, util-linux, python3 and g++; it installs Debian's keepalived and ucarp with apt-get where they are missing.

${facts.map((fact) => `- ${fact}`).join('\n')}

![outage at a client](failover.svg)

### How it is measured

- Three nodes in network namespaces on two switches (Linux bridges) with a cable between them, and a client on each switch.
  A client is Linux as it is by default; its program sends a UDP datagram to each address every 2 ms, IPv4 and IPv6
  together. The backend on each node echoes it with its name. An echo that takes longer than 150 ms is lost.
- Three services of one IPv4 and one IPv6 address each; the clients send to the first. The event strikes the node that owns
  both its addresses. Each repetition of each system has a network of its own, new neighbour tables among it, and plays all
  cases one after the other; the next case begins when every client is served by one and the same node and loses nothing.
- All systems take turns within each repetition, and who goes first changes. Arpeggio is \`arpeggio run\` at its defaults.
  keepalived has one VRRP instance per family and owner, everything but the advertisement interval as it is by default;
  ucarp one process per address, \`-z\`, and no IPv6. Arpeggio has the machine for itself; the others, whose outages are
  hundreds of milliseconds and more, play side by side.
- *Outage*: the longest time without an echo, for the client that was worst off; each family of each repetition is one
  event. In a partition only the client that was cut off from the owner counts. *Owner changes*: how often another node
  echoed than before.
- Arpeggio, keepalived and ucarp leave their addresses where they are when they are killed: after \`kill -9\` the kernel of
  that node goes on serving the clients that send to it.
- *Requests unanswered*: a further host asks for the addresses by ARP (broadcast) and NS (multicast) every 5 ms; the
  longest time from a request to the next answer. *Two nodes answer*: how long the former owner answered after the new one
  had begun.
- *10,000 addresses*: all owned by one node, whose switch port is disabled. A watcher on another host notes, by the kernel's
  time stamps, when each was first announced by an heir, and hears the heartbeats; addresses of another node are asked
  for meanwhile.
- *False takeovers*: nothing happens to any node; an address that is taken over all the same counts.

### What was seen

${sections(results)
  .map(({ title, text }) => `#### ${title}\n\n${text}`)
  .join('\n\n')}
`;
}
