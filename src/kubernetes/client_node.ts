// The only file that knows @kubernetes/client-node: reading of kubeconfigs and credentials. scripts/setup.mjs replaces its
// compiled form by a bundle of what is used, because the whole package takes 60 MB more memory. So it is no dependency of
// the published package.
import { KubeConfig as ClientNodeConfig } from '@kubernetes/client-node';
import type { RequestOptions } from 'node:https';

/** What is used of KubeConfig. */
export interface KubeConfig {
  readonly currentContext: string;
  loadFromFile(path: string): void;
  /** The pod's service account, its files below `root`. */
  loadFromCluster(root?: string): void;
  mergeConfig(config: KubeConfig): void;
  getCurrentCluster(): { server?: string; caFile?: string; proxyUrl?: string } | null;
  getCurrentUser(): {
    certFile?: string;
    keyFile?: string;
    authProvider?: { config?: { tokenFile?: string } };
  } | null;
  getContextObject(name: string): { namespace?: string } | null;
  /** Fills in certificates, headers, and an agent; reads their files, runs an exec plugin. */
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}

export function newKubeConfig(): KubeConfig {
  return new ClientNodeConfig() as unknown as KubeConfig;
}
