import { readFileSync } from 'node:fs';

const CAP_NET_ADMIN_BIT = 12n;

/** Whether this process has CAP_NET_ADMIN in its user namespace; the kernel may still want it in another one. */
export function hasNetAdmin(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN_BIT) & 1n) === 1n;
}
