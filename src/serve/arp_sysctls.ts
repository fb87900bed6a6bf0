import { readFileSync, writeFileSync } from 'node:fs';
import { ArpeggioError } from '../errors.js';
import { noNetAdmin } from './ip_command.js';

/** Sysctls of net.ipv4.conf that decide whether the kernel itself answers or announces a service IP on `lo`. */
export const ARP_SYSCTLS = ['arp_ignore', 'arp_announce'] as const;

export type ArpSysctl = (typeof ARP_SYSCTLS)[number];

export interface SysctlChange {
  readonly interfaceName: string;
  readonly sysctl: ArpSysctl;
  readonly value: number;
}

/** What "serve: loopback" sets: answer only for addresses of the interface itself, use only such as ARP sender. */
export const SERVING_VALUE: Readonly<Record<ArpSysctl, number>> = { arp_ignore: 1, arp_announce: 2 };

// Values under which the kernel does not answer for, or ask with, an address of another interface. arp_ignore 3
// spares only scope host, and 4-7 are reserved and answer everything (arp_ignore() in net/ipv4/arp.c).
const SUFFICIENT: Readonly<Record<ArpSysctl, readonly number[]>> = { arp_ignore: [1, 2, 8], arp_announce: [2] };

export function isSufficient(sysctl: ArpSysctl, value: number): boolean {
  return SUFFICIENT[sysctl].includes(value);
}

// The path, not sysctl(8), which reads the dot in "eth0.100" as a separator.
function pathOf(interfaceName: string, sysctl: ArpSysctl): string {
  return `/proc/sys/net/ipv4/conf/${interfaceName}/${sysctl}`;
}

/** The interface's own value; null when there is no such interface (any more). "all" is a name too. */
export function readArpSysctl(interfaceName: string, sysctl: ArpSysctl): number | null {
  try {
    return Number(readFileSync(pathOf(interfaceName, sysctl), 'utf8'));
  } catch (error) {
    // EINVAL: the interface was deleted between open and read.
    if (['ENOENT', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** The value that counts: the kernel takes the larger of "all" and the interface's own. Null without the interface. */
export function effectiveArpSysctl(interfaceName: string, sysctl: ArpSysctl): number | null {
  const own = readArpSysctl(interfaceName, sysctl);
  return own === null ? null : Math.max(own, readArpSysctl('all', sysctl) ?? 0);
}

/**
 * Does nothing when the interface is gone: its values went with it.
 * @throws ArpeggioError ERR_NO_CAP_NET_ADMIN; ERR_SYSTEM where /proc/sys is mounted read-only
 */
export function writeArpSysctl(interfaceName: string, sysctl: ArpSysctl, value: number): void {
  const path = pathOf(interfaceName, sysctl);
  try {
    writeFileSync(path, `${value}\n`, { flag: 'r+' });
  } catch (error) {
    const { code, errno = 0, syscall = 'write', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EINVAL') return;
    if (code === 'EACCES' || code === 'EPERM') throw noNetAdmin(`writing ${path}`, error);
    throw new ArpeggioError(
      'ERR_SYSTEM',
      code === 'EROFS'
        ? `${path} is mounted read-only, as in most containers; make /proc/sys writable, set it to ${value} from outside before the start, or set "serve: none"`
        : `${path} cannot be written: ${message}`,
      { errno: -errno, syscall, interfaceName, cause: error },
    );
  }
}
