import type { Logger } from '../log.js';
import type { Address } from '../net/address.js';
import { listLinks } from '../responder/addon.js';
import { kernelAnswers, readArpIgnore } from '../serve/kernel_answers.js';

/** Links come in bursts; the check can wait for their end. */
const DELAY_MS = 500;

type Asked = () => { readonly interfaces: readonly string[]; readonly serviceIps: ReadonlySet<Address> };

/** Looks whether the kernel would answer as well, or clients see two MACs. */
export class KernelCheck {
  readonly #log: Logger;
  readonly #asked: Asked;
  #timer: NodeJS.Timeout | undefined;
  #warnings: readonly string[] = [];

  constructor(log: Logger, asked: Asked) {
    this.#log = log;
    this.#asked = asked;
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), DELAY_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #check(): void {
    const { interfaces, serviceIps } = this.#asked();
    const found = kernelAnswers(listLinks(), interfaces, serviceIps, readArpIgnore(interfaces));
    const warnings = found.map(({ warning }) => warning);
    for (const warning of warnings) if (!this.#warnings.includes(warning)) this.#log.warn(warning);
    this.#warnings = warnings;
  }
}
