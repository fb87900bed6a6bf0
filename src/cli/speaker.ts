import { Command } from 'commander';
import { classOption, from, kubeconfigOption, logLevelOption, namespaceOption } from './cluster_flags.js';
import { keepHeapSmall } from './heap.js';
import type { SpeakerOptions } from './speaker_settings.js';

/** `arpeggio speaker`: the speaker of a Kubernetes node, from the API server. */
export function speakerCommand(): Command {
  return new Command('speaker')
    .description(
      'answer ARP and NDP for the LoadBalancer services of a Kubernetes cluster, together with the other nodes, until stopped',
    )
    .addOption(
      from('METALLB_NODE_NAME', '--node-name <name>', 'name of this node, as its Node object has it (required)'),
    )
    .addOption(namespaceOption('the pools and of the speaker’s records'))
    .addOption(classOption())
    .addOption(
      from(
        'ARPEGGIO_IGNORE_EXCLUDE_LB',
        '--ignore-exclude-lb [yes]',
        'also announce from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers',
      ),
    )
    .addOption(
      from(
        'ARPEGGIO_DRAIN_ON_CORDON',
        '--drain-on-cordon <yes>',
        'true: a cordoned node hands its addresses over; false: it keeps them',
      ).default('true'),
    )
    .addOption(
      from(
        'ARPEGGIO_TAKEOVER',
        '--takeover <mode>',
        'fast: takes over at once and records it; fenced: records it first, so that never two nodes answer; the same for all',
      ).default('fast'),
    )
    .addOption(
      from(
        'ARPEGGIO_PROBING',
        '--probing <mode>',
        'how an address is checked for another user first: fast, rfc5227 or none',
      ).default('fast'),
    )
    .addOption(
      from(
        'ARPEGGIO_INTERFACES',
        '--interfaces <names>',
        'comma-separated interfaces to use (default: every Ethernet interface but those of containers, as MetalLB excludes them)',
      ),
    )
    .addOption(
      from(
        'ARPEGGIO_HEARTBEAT_KEY_FILE',
        '--heartbeat-key-file <path>',
        'file with the key of heartbeats, a mounted Secret; read again when it changes',
      ),
    )
    .addOption(
      from('ARPEGGIO_CLUSTER', '--cluster <name>', 'speakers of one name on a segment share its service IPs').default(
        'arpeggio',
      ),
    )
    .addOption(
      from(
        'ARPEGGIO_STATE_DIR',
        '--state-dir <path>',
        'keeps what the API server said last, for a start without it',
      ).default('/var/lib/arpeggio'),
    )
    .addOption(
      from(
        'ARPEGGIO_SOCKET',
        '--socket <path>',
        'unix socket for arpeggio status (default: /run/arpeggio/arpeggio.sock)',
      ),
    )
    .addOption(
      from(
        'ARPEGGIO_LISTEN',
        '--listen <address:port>',
        'loopback address for the status and /healthz over HTTP (default: none)',
      ),
    )
    .addOption(kubeconfigOption())
    .addOption(logLevelOption())
    .addHelpText(
      'after',
      `
It announces the addresses that services of type LoadBalancer have in status.loadBalancer, wherever an L2Advertisement, the
endpoints and the node permit it; arpeggio controller assigns them. kube-proxy, or what stands in for it, takes the traffic.

The API server is not needed to fail over: without it everything stays as it is, nodes replace each other by heartbeats, and a
speaker that starts uses what --state-dir holds.

Signals: SIGTERM and SIGINT hand all service IPs over to other nodes, for at most 3 s, and end; a second one ends at once.
Needs CAP_NET_RAW and the host's network. With CAP_SYS_NICE and CAP_BPF it answers faster under load.

Exit codes: 0 stopped, 1 failed, 2 bad command line or environment.

Example:
  arpeggio speaker --node-name "$NODE_NAME" --namespace metallb-system`,
    )
    .action(async (options: SpeakerOptions) => {
      keepHeapSmall();
      const { runSpeaker } = await import('./run_speaker.js');
      await runSpeaker(options);
    });
}
