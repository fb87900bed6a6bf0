import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../host.js';
import type { NetProcess } from '../net_process.js';
import type { ControlPlane } from './control_plane.js';
import { DOOR_SERVER } from './doors.js';
import { CLUSTER_CIDR } from './stage.js';

/** Starts the real kube-proxy of a node, in nftables mode. It programs nothing until its Node has addresses. */
export function startKubeProxy(host: Host, control: ControlPlane): NetProcess {
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: control.kubeconfig('kube-proxy', DOOR_SERVER) },
    mode: 'nftables',
    hostnameOverride: host.name,
    clusterCIDR: CLUSTER_CIDR,
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
    // Zero: these belong to the whole machine, and are left alone.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    nftables: { minSyncPeriod: '10ms' },
  };
  const path = join(control.directory, `kube-proxy-${host.name}.json`);
  writeFileSync(path, JSON.stringify(config, null, 2));
  return host.spawn([control.program, 'kube-proxy', `--config=${path}`]);
}
