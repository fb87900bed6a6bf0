import { Command } from 'commander';
import { classOption, from, kubeconfigOption, logLevelOption, namespaceOption } from './cluster_flags.js';
import { keepHeapSmall } from './heap.js';

/** As commander gives them; what is empty counts as not given, as unset variables in manifests are. */
export interface ControllerFlags {
  readonly namespace?: string;
  readonly lbClass?: string;
  readonly leaderElect?: string;
  readonly identity?: string;
  readonly healthPort?: string;
  readonly kubeconfig?: string;
  readonly logLevel?: string;
}

/** `arpeggio controller`: gives addresses to the services of a Kubernetes cluster. */
export function controllerCommand(): Command {
  return new Command('controller')
    .description('give addresses of IPAddressPools to the LoadBalancer services of a Kubernetes cluster, until stopped')
    .addOption(namespaceOption('the pools and of the leader Lease'))
    .addOption(classOption())
    .addOption(
      from(
        'ARPEGGIO_LEADER_ELECT',
        '--leader-elect <yes>',
        'true: of several replicas one leads; false: this is the only one',
      ).default('true'),
    )
    .addOption(
      from(
        'ARPEGGIO_IDENTITY',
        '--identity <name>',
        'who this replica is, in the leader Lease (default: the host name)',
      ),
    )
    .addOption(
      from(
        'ARPEGGIO_HEALTH_PORT',
        '--health-port <port>',
        'serves /healthz and /readyz there, for the probes of a pod (default: none)',
      ),
    )
    .addOption(kubeconfigOption())
    .addOption(logLevelOption())
    .addHelpText(
      'after',
      `
It writes status.loadBalancer and the annotation metallb.io/ip-allocated-from-pool of services, events on them, the status of
IPAddressPools and the ConfigurationState "controller". An address never changes by itself, whatever is restarted. What is wrong
with the pools or advertisements is told there, and the last valid ones stay in force.

Run two replicas: one leads by the Lease arpeggio-controller, the other follows within 15 s of a crash, and at once after a stop.

Signals: SIGTERM and SIGINT give the Lease back and end; a second one ends at once.

Exit codes: 0 stopped, 1 failed, 2 bad command line or environment.

Example:
  arpeggio controller --namespace metallb-system`,
    )
    .action(async (flags: ControllerFlags) => {
      keepHeapSmall();
      const { runController } = await import('./run_controller.js');
      await runController(flags);
    });
}
