import { eligibleInterfaces, MAX_INTERFACES } from '../config/interfaces.js';
import type { Logger } from '../log.js';
import type { LinkInfo } from '../responder/types.js';
import { type LinkEvent, logLinkEvent, portAfter } from './link_events.js';
import { SharedSegments } from './shared_segments.js';
import type { PortState } from './status_report.js';

/** The links of this node as the packet thread tells of them: which ones the speaker is to use, and which it can. */
export class NodeLinks {
  readonly #log: Logger;
  readonly #shared: SharedSegments;
  readonly #ports = new Map<string, PortState>();
  /** As the configuration names them; null: every eligible one. */
  #named: readonly string[] | null;
  #links: readonly LinkInfo[];

  constructor(log: Logger, named: readonly string[] | null, links: readonly LinkInfo[]) {
    this.#log = log;
    this.#shared = new SharedSegments(log);
    this.#named = named;
    this.#links = links;
  }

  set named(names: readonly string[] | null) {
    this.#named = names;
  }

  get links(): readonly LinkInfo[] {
    return this.#links;
  }

  get ports(): ReadonlyMap<string, PortState> {
    return this.#ports;
  }

  /** Those that the speaker is to use, in the node's order. */
  get interfaces(): readonly string[] {
    // Hosts with a VLAN or a virtual machine each have hundreds: the oldest come first, which the host was set up with.
    return this.#named ?? eligibleInterfaces(this.#links).slice(0, MAX_INTERFACES);
  }

  /** Those of them where the packet thread can send and no other one reaches the segment: the rest is heard by nobody. */
  get usable(): ReadonlySet<string> {
    return this.#shared.usable(this.#open());
  }

  get warnings(): readonly string[] {
    const warnings = this.#shared.warnings(this.#open());
    const left = this.#named === null ? eligibleInterfaces(this.#links).slice(MAX_INTERFACES) : [];
    if (left.length > 0)
      warnings.unshift(
        `${left.length} of the interfaces, ${left[0]} the first of them, are not used: ${MAX_INTERFACES} are the most; name those of the clients under interfaces`,
      );
    return warnings;
  }

  /** @returns whether `interfaces` has changed */
  setLinks(links: readonly LinkInfo[]): boolean {
    const before = this.interfaces.join('/');
    this.#links = links;
    for (const [name, port] of this.#ports) {
      // A new link of that name is a new chance.
      if (port.state === 'failed' && !links.some((link) => link.name === name)) this.#ports.delete(name);
    }
    return this.interfaces.join('/') !== before;
  }

  /** @returns whether `usable` may have changed */
  onEvent(event: LinkEvent): boolean {
    logLinkEvent(this.#log, event);
    const port = portAfter(event);
    if (port) this.#ports.set(port.interfaceName, port.state);
    return port !== null;
  }

  /** Frames of one interface arrive at the other. */
  onSameSegment(one: string, other: string): void {
    this.#shared.add(one, other);
  }

  #open(): string[] {
    return this.interfaces.filter((name) => this.#ports.get(name)?.state === 'open');
  }
}
