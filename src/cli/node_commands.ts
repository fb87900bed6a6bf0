import { ArpeggioError } from '../errors.js';
import { type Address, AddressError, parseAddress } from '../net/address.js';
import type { NodeState } from '../responder/types.js';
import type { SpeakerEvent } from '../speaker.js';
import type { CommandHandlers, DrainProgress, MoveOrder, MoveProgress } from '../status/commands.js';
import type { Status } from '../status/schema.js';
import type { DrainedFile } from './drained_file.js';
import type { SpeakerView } from './status_report.js';

export interface NodeCommandsOptions {
  /** This node. */
  readonly node: string;
  readonly speaker: SpeakerView & {
    stateOf(interfaceName: string): NodeState;
    /** Why a move would do nothing; null where it can be done. */
    moveRefusal(address: Address, node: string): string | null;
  };
  readonly drainedFile: DrainedFile;
  readonly step: (event: SpeakerEvent) => void;
}

/** What `arpeggio drain`, `undrain` and `move` ask for, checked before the speaker hears of it. */
export class NodeCommands implements CommandHandlers {
  readonly #options: NodeCommandsOptions;
  #drained = false;
  #leaving = false;

  constructor(options: NodeCommandsOptions) {
    this.#options = options;
  }

  /** A node that was drained before it was started stays so. */
  resume(): void {
    const { drainedFile, step } = this.#options;
    if (!drainedFile.isDrained) return;
    this.#drained = true;
    step({ type: 'drain' });
  }

  leave(): void {
    this.#leaving = true;
  }

  /** Joining while it listens on every interface; drained as soon as nothing is left. */
  get state(): Status['state'] {
    const { speaker } = this.#options;
    if (this.#leaving) return 'leaving';
    if (this.#drained) return this.#owned() === 0 ? 'drained' : 'draining';
    const states = speaker.interfaces.map((name) => speaker.stateOf(name));
    return states.length > 0 && states.every((state) => state === 'joining') ? 'joining' : 'ready';
  }

  drain(): DrainProgress {
    this.#refuseWhileLeaving();
    this.#options.drainedFile.set(true);
    if (!this.#drained) {
      this.#drained = true;
      this.#options.step({ type: 'drain' });
    }
    return this.drainProgress();
  }

  undrain(): DrainProgress {
    this.#refuseWhileLeaving();
    this.#options.drainedFile.set(false);
    if (this.#drained) {
      this.#drained = false;
      this.#options.step({ type: 'undrain' });
    }
    return this.drainProgress();
  }

  drainProgress(): DrainProgress {
    return { node: this.#options.node, state: this.state, owned: this.#owned() };
  }

  move(order: MoveOrder): MoveProgress {
    this.#refuseWhileLeaving();
    const progress = this.moveProgress(order);
    if (progress.done) return progress;
    const { owners } = progress;
    const address = addressOf(progress.address);
    if (owners.every((owner) => owner.node === null))
      throw refused(`nobody owns ${address} at present, so there is nothing to move; arpeggio status shows why`);
    const { speaker, step } = this.#options;
    const reason = speaker.moveRefusal(address, order.node);
    if (reason !== null) throw refused(`${address} cannot be moved to ${order.node}: ${reason}`);
    step({ type: 'move', address, node: order.node });
    return this.moveProgress(order);
  }

  moveProgress({ address: text, node }: MoveOrder): MoveProgress {
    const address = addressOf(text);
    const { speaker } = this.#options;
    const wanted = speaker.desired.get(address);
    if (!wanted) throw refused(`${address} is no service IP of the configuration; arpeggio status lists them`);
    this.#refuseUnknown(node);
    if (wanted.nodes && !wanted.nodes.has(node))
      throw refused(
        `${node} may not own ${address}: nodes of service ${wanted.services.join(', ')} names ${[...wanted.nodes].join(', ') || 'none for all of them'}`,
      );
    const interfaces = (speaker.claims.get(address) ?? []).map(({ interfaceName }) => interfaceName);
    const reasons = interfaces.map((name) => this.#reasonAgainst(address, node, name));
    const fit = interfaces.filter((_, index) => reasons[index] === null);
    if (fit.length === 0)
      throw refused(`${node} cannot own ${address}: ${reasons.join('; ') || 'it is announced on no interface here'}`);
    const owners = fit.map((name) => ({ interface: name, node: speaker.ownerOf(address, name)?.node ?? null }));
    return { address, owners, done: owners.every((owner) => owner.node === node) };
  }

  #owned(): number {
    const { speaker, node } = this.#options;
    let owned = 0;
    for (const [address, claims] of speaker.claims) {
      if (claims.some(({ interfaceName }) => speaker.ownerOf(address, interfaceName)?.node === node)) owned += 1;
    }
    return owned;
  }

  #refuseWhileLeaving(): void {
    if (this.#leaving) throw refused('the speaker is being stopped, and gives everything away already');
  }

  #refuseUnknown(name: string): void {
    const { node, speaker } = this.#options;
    const nodes = new Set([node]);
    for (const link of speaker.interfaces) for (const peer of speaker.peers(link)) nodes.add(peer.node);
    if (!nodes.has(name)) throw refused(`there is no node ${JSON.stringify(name)}; known are ${[...nodes].join(', ')}`);
  }

  /** Why the node cannot own the address on the interface; null if it can. */
  #reasonAgainst(address: Address, name: string, interfaceName: string): string | null {
    const { node, speaker } = this.#options;
    if (name === node) {
      if (this.#drained) return 'it is drained; call arpeggio undrain there first';
      const claim = speaker.claims.get(address)?.find((candidate) => candidate.interfaceName === interfaceName);
      if (claim?.state === 'conflict') return `another host uses it on ${interfaceName} (${claim.rivalMac ?? '?'})`;
      return speaker.stateOf(interfaceName) === 'joining' ? `it is still joining on ${interfaceName}` : null;
    }
    const peer = speaker.peers(interfaceName).find((candidate) => candidate.node === name);
    if (!peer) return `it is not on the segment of ${interfaceName}`;
    if (peer.link === 'down') return `it is down on ${interfaceName}`;
    if (peer.link === 'one-way') return `it does not hear this node on ${interfaceName}`;
    if (peer.state === 'draining') return 'it is drained; call arpeggio undrain there first';
    return peer.state === 'ready' ? null : `it is ${peer.state} on ${interfaceName}`;
  }
}

function addressOf(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw new ArpeggioError('ERR_INVALID_ARGUMENT', error.message);
  }
}

function refused(message: string): ArpeggioError {
  return new ArpeggioError('ERR_REFUSED', message);
}
