// Builds small real networks from namespaces, veth pairs and bridges with iproute2, and always takes them down again:
// by close(), at the end of the process, on SIGINT and SIGTERM, and by a later run's sweep after a crash.
import { ArpeggioError } from '../errors.js';
import { closeAtEnd, isClosed } from './clean_up.js';
import type { CommandResult } from './command.js';
import { Host } from './host.js';
import { batch, execIn, setSysctls } from './namespace.js';
import { type BuiltInterface, DEFAULT_INTERFACE, defaultMac, type NetworkSpec } from './network_spec.js';
import { RunRecord, sweep } from './run_record.js';

const BRIDGE = 'br0';
// Where both ends of a veth pair have the same index in their namespaces, the kernel reports a lost carrier up to a
// second late (linkwatch takes the device for its own peer). So ports count from here.
const FIRST_HOST_INDEX = 10;
const FIRST_PORT_INDEX = 1000;
const NO_DUPLICATE_ADDRESS_DETECTION = { 'net.ipv6.conf.default.accept_dad': '0' };

// A switch has no addresses of its own, and says nothing.
const NO_IPV6 = { 'net.ipv6.conf.default.disable_ipv6': '1' };

/** BR_STATE_* of linux/if_bridge.h. */
const PORT_STATES = { disabled: 0, forwarding: 3 } as const;

interface End {
  readonly name: string;
  readonly namespace: string;
  readonly index: number;
  readonly mac?: string;
}

function cable(near: End, far: End): string {
  const end = ({ name, namespace, index, mac }: End) =>
    `name ${name} netns ${namespace} index ${index}${mac === undefined ? '' : ` address ${mac}`}`;
  return `link add ${end(near)} type veth peer ${end(far)}`;
}

/** Needs root, or the namespace of lab/access.ts. */
export class Network {
  private readonly hosts = new Map<string, Host>();
  private ports = 0;
  private isOpen = true;

  private constructor(
    private readonly record: RunRecord,
    private readonly spec: NetworkSpec,
  ) {}

  /**
   * Sweeps what crashed runs left, builds the network and waits until every address can be used.
   * @throws ArpeggioError ERR_SYSTEM or ERR_TOOL_MISSING; nothing is left behind then.
   */
  static async create(spec: NetworkSpec): Promise<Network> {
    sweep();
    const record = new RunRecord([...spec.switches, ...spec.hosts].map(({ name }) => name));
    const network = new Network(record, spec);
    closeAtEnd(network);
    try {
      await network.build();
    } catch (error) {
      network.close();
      throw error;
    }
    return network;
  }

  /** A directory for the network's files (configuration, sockets); removed with it. */
  get directory(): string {
    return this.record.directory;
  }

  host(name: string): Host {
    const host = this.hosts.get(name);
    if (host === undefined) throw new ArpeggioError('ERR_INVALID_ARGUMENT', `the network has no host "${name}"`);
    return host;
  }

  /** Runs `ip` commands, one per line, in a switch's namespace; the bridge is called br0, ports as in {@link BuiltInterface}. */
  async onSwitch(name: string, commands: readonly string[]): Promise<void> {
    await batch(this.record.namespace(name), commands);
  }

  /** Runs a program in a switch's namespace, such as nft for what the switch is to filter. */
  execOnSwitch(name: string, argv: readonly string[]): Promise<CommandResult> {
    return execIn(this.record.namespace(name), argv);
  }

  /** Plugs or unplugs the cable of a host's interface: down means that the host loses the carrier. */
  async setCable(hostName: string, state: 'up' | 'down', interfaceName: string = DEFAULT_INTERFACE): Promise<void> {
    const { switch: switchName, port } = this.host(hostName).interface(interfaceName);
    await this.onSwitch(switchName, [`link set ${port} ${state}`]);
  }

  /**
   * A switch port that forwards nothing in either direction, while the host keeps its carrier: a switch that hangs, or a
   * VLAN taken away.
   */
  async setPort(
    hostName: string,
    state: 'forwarding' | 'disabled',
    interfaceName: string = DEFAULT_INTERFACE,
  ): Promise<void> {
    const { switch: switchName, port } = this.host(hostName).interface(interfaceName);
    // `ip link set PORT type bridge_slave state` says that it has done so, and has not.
    const argv = ['bridge', 'link', 'set', 'dev', port, 'state', String(PORT_STATES[state])];
    await execIn(this.record.namespace(switchName), argv);
  }

  /** The cable between two switches; down splits the segment in two. */
  async setTrunk(one: string, other: string, state: 'up' | 'down'): Promise<void> {
    await this.onSwitch(one, [`link set to-${other} ${state}`]);
  }

  /** Ends the network's processes and removes every trace of it. A second call does nothing. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    isClosed(this);
    this.record.remove();
  }

  private async build(): Promise<void> {
    const { switches, hosts } = this.spec;
    const namespace = (name: string) => this.record.namespace(name);
    await batch(
      null,
      [...switches, ...hosts].map(({ name }) => `netns add ${namespace(name)}`),
    );
    const withoutDad = hosts.filter(({ duplicateAddressDetection }) => !duplicateAddressDetection);
    await Promise.all([
      ...switches.map(({ name }) => setSysctls(namespace(name), NO_IPV6)),
      ...withoutDad.map(({ name }) => setSysctls(namespace(name), NO_DUPLICATE_ADDRESS_DETECTION)),
    ]);

    const cables: string[] = [];
    const setUp = new Map(
      switches.map(({ name }) => [name, [`link add ${BRIDGE} type bridge stp_state 0`, `link set ${BRIDGE} up`]]),
    );
    const port = (switchName: string, name: string): End => {
      const commands = setUp.get(switchName);
      if (commands === undefined)
        throw new ArpeggioError('ERR_INVALID_ARGUMENT', `the network has no switch "${switchName}"`);
      commands.push(`link set ${name} master ${BRIDGE} up`);
      this.ports += 1;
      return { name, namespace: namespace(switchName), index: FIRST_PORT_INDEX + this.ports };
    };
    for (const { name, cables: others = [] } of switches) {
      for (const other of others) cables.push(cable(port(name, `to-${other}`), port(other, `to-${name}`)));
    }
    for (const [hostNumber, { name, interfaces }] of hosts.entries()) {
      const built = interfaces.map((spec, number): BuiltInterface => {
        const farEnd = port(spec.switch, `port${this.ports}`);
        const near = {
          name: spec.name ?? DEFAULT_INTERFACE,
          namespace: namespace(name),
          index: FIRST_HOST_INDEX + number,
          mac: spec.mac ?? defaultMac(hostNumber, number),
        };
        cables.push(cable(near, farEnd));
        const { mac, name: interfaceName } = near;
        return { name: interfaceName, mac, addresses: spec.addresses ?? [], switch: spec.switch, port: farEnd.name };
      });
      this.hosts.set(name, new Host(name, namespace(name), built, (pid) => this.record.addProcess(pid)));
    }
    await batch(null, cables);
    const built = [...this.hosts.values()];
    await Promise.all([...setUp].map(([name, commands]) => this.onSwitch(name, commands)));
    await Promise.all(hosts.map(({ name, sysctls = {} }) => setSysctls(namespace(name), sysctls)));
    await Promise.all(built.map((host) => host.configure()));
    await Promise.all(built.map((host) => host.ready()));
  }
}
