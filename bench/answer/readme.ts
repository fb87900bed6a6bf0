import { tables } from './report.js';
import type { Results } from './results.js';

/** Its part of bench/README.md: how it was measured, and what one full run saw. */
export function readme(results: Results): string {
  const minutes = (results.tookSeconds / 60).toFixed(1);
  const facts = [
    `command: \`${results.command}\`, ${results.rounds} rounds, ${minutes} minutes, commit ${results.commit}`,
    `date: ${results.startedAt}`,
    `machine: ${results.cpu}; kernel ${results.kernel}; Node ${results.node}`,
    ...results.versions,
    ...results.missing.map((what) => `left out: ${what}`),
  ];
  return `## How fast does it answer?

Written by \`npm run bench:answer\` (a full run; \`-- --quick\` measures less and leaves this file alone). Needs root, two
cores, iproute2, util-linux and g++; Go and clang bring two of the responders that it compares with. Trust ratios, not
absolute figures: another machine has other ones.

${facts.map((fact) => `- ${fact}`).join('\n')}

![replies per core and latency](answer.svg)

### How it is measured

- One veth pair between two network namespaces. The generator has core 0 for itself, the responder core 1. Both ends use
  threaded NAPI: the softirq work of the responder's interface is a thread pinned to core 1, so that receiving a request
  costs the responder what it would cost on a real machine.
- Requests are for random addresses of the table, from 16 clients; ARP requests are padded to 60 bytes and broadcast,
  solicitations are multicast to the solicited-node group and carry a source link-layer address. The generator compares
  every byte of every reply with the one that is right for its request; whatever else comes is wrong and shown.
- *replies/s*: requests as fast as the generator's core can send them, more than any socket can take. *CPU per reply*:
  run time, by the scheduler's clock, of all threads of the responder, of its interface's softirq thread and of its core's
  ksoftirqd, divided by the right replies; it includes the requests that were received and then lost. *Replies/s per
  core* is its inverse, which is fair also where the generator was the limit.
- *< 0.1 % loss*: bisection for the fastest paced load.
- *Latency*: one outstanding request, about 2,000 a second, other addresses each time; from before the request's system
  call until the reply is in the generator's ring, which it polls without sleeping. The softirq of both interfaces then runs
  at the end of the send, as if an interrupt had come at once: the kernel and BPF answer on the generator's core, a
  process on its own core must be woken first. That core is kept from halting by a loop of scheduling class idle: the wake-up
  of a halted virtual core would cost more than all that is to be measured.
- *Storm*: the same while 200,000 requests a second arrive for addresses that are not in the table, received by the
  softirq thread on the responder's core; *calm* is that without the storm.
- All responders take turns within each round, and who goes first changes. Figures are medians over the rounds with
  (min-max); ratios are medians of the ratios within a round.
- The kernel answers for addresses on the interface, with default sysctls; it is not asked to answer NDP for 10,000
  addresses, because it takes more than half a minute to accept them. Go is one loop with a map, on mdlayher/arp, or on raw
  frames for NDP; as for Arpeggio, its IPv4 addresses are on lo, and arp_ignore keeps the kernel silent about them. BPF at tc turns the request around in place and is the limit of what can be had.
- Announcements and table swaps are asked of the packet thread through its TypeScript wrapper; a swap replaces half of
  10,000 entries every 100 ms, and the half that stays is asked for. All else is \`arpeggio run\`, one service per address.
- Plain traffic: 150,000 UDP datagrams a second to a program on the responder's core, in turns with and without
  \`arpeggio run\` with 1,000 IPv4 and 1,000 IPv6 addresses on the interface.

### What was seen

${tables(results)
  .map(({ title, text }) => `#### ${title}\n\n${text}`)
  .join('\n\n')}
`;
}
