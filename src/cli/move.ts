import { Command, Option } from 'commander';
import type { MoveOrder, MoveProgress } from '../status/commands.js';
import { askUntil, timeoutMs } from './wait_option.js';

interface MoveOptions {
  readonly socket?: string;
  readonly timeout: number;
  readonly wait: boolean;
}

const TIMEOUT_MS = 5_000;

/** `arpeggio move`: an address goes to a node of one's choice. */
export function moveCommand(): Command {
  return new Command('move')
    .description('hand a service IP over to another node')
    .argument('<address>', 'the service IP')
    .argument('<node>', 'name of the node that shall own it; arpeggio status lists them')
    .option('--socket <path>', 'unix socket of the speaker (default: /run/arpeggio/arpeggio.sock)')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait until the node owns it')
        .argParser(timeoutMs)
        .default(TIMEOUT_MS, '5s'),
    )
    .option('--no-wait', 'return at once')
    .addHelpText(
      'after',
      `
Any node of the cluster may be asked: the owner carries it out, and stops answering only when the
other node answers. A node on several segments gets the address on each of them. The address stays
there: preferences count only while nobody owns it.

Exit codes: 0 the node owns it (with --no-wait: it has been asked for), 1 refused, or not moved in time.

Example:
  arpeggio move 192.0.2.10 host-b`,
    )
    .action(async (address: string, node: string, options: MoveOptions) => {
      process.exitCode = await move({ address, node }, options);
    });
}

async function move(order: MoveOrder, { socket, timeout, wait }: MoveOptions): Promise<number> {
  const [{ command }, { MOVE_PATH }, { DEFAULT_STATUS_SOCKET }] = await Promise.all([
    import('../status/client.js'),
    import('../status/commands.js'),
    import('../status/paths.js'),
  ]);
  const to = { socket: socket ?? DEFAULT_STATUS_SOCKET };
  const begun = await command<MoveProgress>('POST', MOVE_PATH, { ...to, body: order });
  const query = `${MOVE_PATH}?${new URLSearchParams({ ...order })}`;
  const { address, owners, done } =
    begun.done || !wait
      ? begun
      : await askUntil(
          () => command<MoveProgress>('GET', query, to),
          (progress) => progress.done,
          timeout,
          () => {},
        );
  if (done) {
    process.stdout.write(`${order.node} owns ${address}\n`);
    return 0;
  }
  if (!wait) {
    process.stdout.write(`${address} is asked for ${order.node}\n`);
    return 0;
  }
  const where = owners.map(({ interface: name, node }) => `${node ?? 'nobody'} owns it on ${name}`).join(', ');
  process.stderr.write(`arpeggio: ${address} is not with ${order.node}: ${where}; the log of the nodes says why\n`);
  return 1;
}
