import { Command } from 'commander';
import { keepHeapSmall } from './heap.js';

export interface RunOptions {
  readonly config: string;
  readonly stateFile?: string;
  readonly socket?: string;
  readonly logLevel?: string;
}

/** `arpeggio run`: the speaker of a plain Linux host, from a file. */
export function runCommand(): Command {
  return new Command('run')
    .description(
      'answer ARP and NDP for the service IPs of a configuration file, together with other nodes, until stopped',
    )
    .requiredOption('-c, --config <file>', 'configuration file (YAML); read again on change and on SIGHUP')
    .option('--state-file <path>', 'what "serve: loopback" changed, for cleanup (default: /run/arpeggio/serve.json)')
    .option('--socket <path>', 'unix socket for arpeggio status; overrides status.socket of the file')
    .option('--log-level <level>', 'silent, fatal, error, warn, info, debug or trace (default: LOG_LEVEL, or info)')
    .addHelpText(
      'after',
      `
Signals: SIGTERM and SIGINT hand all service IPs over to other nodes, for at most 3 s, stop answering and end; a second
one ends at once. With "serve: loopback" the addresses stay on lo, so that clients that still send here are served, until
"arpeggio cleanup". SIGHUP reads the file and the heartbeat keys again.

Nodes of one cluster on a segment hear each other by heartbeats; each address has one owner, and when a node goes, another
takes over what it owned. A node listens for half a second before it claims anything, and takes nothing away from others.

Needs CAP_NET_RAW; "serve: loopback" also CAP_NET_ADMIN. With CAP_SYS_NICE and CAP_BPF it answers faster under load.

Exit codes: 0 stopped, 1 failed, 2 mistakes in the configuration (all of them are printed).

Example:
  arpeggio run --config /etc/arpeggio/arpeggio.yaml`,
    )
    .action(async (options: RunOptions) => {
      keepHeapSmall();
      const { runNode } = await import('./run_node.js');
      await runNode(options);
    });
}
