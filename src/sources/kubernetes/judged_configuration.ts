import { isDeepStrictEqual } from 'node:util';
import type { CustomResource, Namespace, Node } from '../../kubernetes/types.js';
import { judgeConfiguration } from '../../metallb/configuration.js';
import type { Configuration, ConfigurationProblem } from '../../metallb/types.js';
import type { ConfigurationInForce } from './types.js';

export interface ConfigurationObjects {
  readonly pools: Iterable<CustomResource>;
  readonly advertisements: Iterable<CustomResource>;
  readonly namespaces: Iterable<Namespace>;
  readonly nodes: Iterable<Node>;
}

/** The last valid configuration, and what is to be said about the present one. */
export class JudgedConfiguration {
  readonly #namespace: string;
  #configuration: Configuration | null;
  #problems: readonly ConfigurationProblem[] = [];
  /** Nothing was judged yet, or what was is not valid. */
  #wrong = true;

  /**
   * @param namespace where the speaker runs: pools and advertisements elsewhere do not count
   * @param lastGood in force until there is a valid one
   */
  constructor(namespace: string, lastGood: Configuration | null) {
    this.#namespace = namespace;
    this.#configuration = lastGood;
  }

  /** null: there was no valid one yet. An equal one stays the same object. */
  get configuration(): Configuration | null {
    return this.#configuration;
  }

  get problems(): readonly ConfigurationProblem[] {
    return this.#problems;
  }

  get inForce(): ConfigurationInForce {
    if (this.#configuration === null) return 'none';
    return this.#wrong ? 'last-good' : 'current';
  }

  /** @returns what is different from before */
  judge(objects: ConfigurationObjects): { configurationChanged: boolean; problemsChanged: boolean } {
    const { configuration, problems } = judgeConfiguration({
      pools: [...objects.pools],
      advertisements: [...objects.advertisements],
      namespaces: [...objects.namespaces],
      nodes: [...objects.nodes],
      namespace: this.#namespace,
    });
    this.#wrong = configuration === null;
    const configurationChanged = configuration !== null && !isDeepStrictEqual(configuration, this.#configuration);
    if (configurationChanged) this.#configuration = configuration;
    const problemsChanged = !isDeepStrictEqual(problems, this.#problems);
    this.#problems = problems;
    return { configurationChanged, problemsChanged };
  }
}
