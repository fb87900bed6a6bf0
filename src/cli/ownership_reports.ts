// What the ownership Leases shall say, from what the speaker did.
import type { Address } from '../net/address.js';
import type { Records } from '../records/records.js';
import type { Effect } from '../speaker.js';
import type { SpeakerView } from './status_report.js';

export interface OwnershipReportsOptions {
  readonly node: string;
  readonly speaker: Pick<SpeakerView, 'claims' | 'desired' | 'ownerOf'>;
  readonly records: Pick<Records, 'own' | 'disown' | 'forget'>;
}

export class OwnershipReports {
  readonly #options: OwnershipReportsOptions;
  /** Service IPs that this node owned since they became some. */
  readonly #known = new Set<Address>();

  constructor(options: OwnershipReportsOptions) {
    this.#options = options;
  }

  onEffects(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'moved') for (const address of effect.addresses) this.#look(address);
    }
  }

  /** Addresses may be no service IPs any more. */
  onDesired(): void {
    for (const address of this.#known) if (!this.#options.speaker.desired.has(address)) this.#look(address);
  }

  #look(address: Address): void {
    const { node, speaker, records } = this.#options;
    if (!speaker.desired.has(address)) {
      this.#known.delete(address);
      records.forget(address);
      return;
    }
    // One record for an address: where it is on several segments, that of the first one that is ours.
    const claims = speaker.claims.get(address) ?? [];
    const owner = claims
      .map(({ interfaceName }) => speaker.ownerOf(address, interfaceName))
      .find((candidate) => candidate?.node === node);
    if (owner) {
      this.#known.add(address);
      records.own(address, owner.term);
    } else records.disown(address);
  }
}
