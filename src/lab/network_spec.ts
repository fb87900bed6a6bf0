/** A small Ethernet network, to be built from namespaces. All names are the builder's to choose. */
export interface NetworkSpec {
  readonly switches: readonly SwitchSpec[];
  readonly hosts: readonly HostSpec[];
}

/** A Linux bridge in a namespace of its own. */
export interface SwitchSpec {
  /** At most 12 characters. */
  readonly name: string;
  /** Switches named before this one that it has a cable to. A loop of cables is a broadcast storm: there is no STP. */
  readonly cables?: readonly string[];
}

export interface HostSpec {
  readonly name: string;
  readonly interfaces: readonly InterfaceSpec[];
  /** Set when the interfaces exist and before they come up, such as `net.ipv4.conf.eth0.arp_ignore`. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Whether its addresses undergo duplicate address detection, which takes a second. Default false. */
  readonly duplicateAddressDetection?: boolean;
}

export interface InterfaceSpec {
  /** At most 15 characters; default "eth0". */
  readonly name?: string;
  readonly switch: string;
  /** Default: made from the positions in the spec, 02:a0:00:00:HOST:INTERFACE. */
  readonly mac?: string;
  /** With prefix length: "192.0.2.1/24". Default: link-local only. */
  readonly addresses?: readonly string[];
}

/** A host's interface as built, with the switch's end of its cable. */
export interface BuiltInterface {
  readonly name: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly switch: string;
  readonly port: string;
}

export const DEFAULT_INTERFACE = 'eth0';

export function defaultMac(hostNumber: number, interfaceNumber: number): string {
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  return `02:a0:00:00:${hex(hostNumber + 1)}:${hex(interfaceNumber)}`;
}
