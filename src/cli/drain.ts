import { Command, Option } from 'commander';
import type { DrainProgress } from '../status/commands.js';
import { askUntil, timeoutMs } from './wait_option.js';

interface DrainOptions {
  readonly socket?: string;
  readonly timeout: number;
  readonly wait: boolean;
}

const TIMEOUT_MS = 30_000;
const SOCKET_OPTION = ['--socket <path>', 'unix socket of the speaker (default: /run/arpeggio/arpeggio.sock)'] as const;

/** `arpeggio drain`: this node gives everything away, and takes nothing. */
export function drainCommand(): Command {
  return new Command('drain')
    .description('hand all service IPs of this node over to the others, and take none until undrain')
    .option(...SOCKET_OPTION)
    .addOption(
      new Option('--timeout <duration>', 'how long to wait until nothing is left, such as 10s or 1m')
        .argParser(timeoutMs)
        .default(TIMEOUT_MS, '30s'),
    )
    .option('--no-wait', 'return at once')
    .addHelpText(
      'after',
      `
Each address is given away only when another node answers for it: no packet is lost. What no
other node may or can own stays here and is answered. A drained node stays drained when its
speaker is started again, until undrain or until the host is booted; on Kubernetes, until undrain.

Exit codes: 0 nothing is left (with --no-wait: it has begun), 1 something is left after the timeout.

Examples:
  arpeggio drain && systemctl stop arpeggio
  arpeggio drain --timeout 5s`,
    )
    .action(async (options: DrainOptions) => {
      process.exitCode = await drain(options);
    });
}

/** `arpeggio undrain`: this node takes part again. */
export function undrainCommand(): Command {
  return new Command('undrain')
    .description('let a drained node own service IPs again')
    .option(...SOCKET_OPTION)
    .addHelpText(
      'after',
      `
It takes nothing back by itself: it is there when another node goes, and for addresses that
nobody owns. To give it something at once use arpeggio move.

Example:
  arpeggio undrain && arpeggio move 192.0.2.10 host-a`,
    )
    .action(async ({ socket }: { socket?: string }) => {
      const { command, UNDRAIN_PATH, DEFAULT_STATUS_SOCKET } = await modules();
      const { node, owned } = await command<DrainProgress>('POST', UNDRAIN_PATH, {
        socket: socket ?? DEFAULT_STATUS_SOCKET,
      });
      process.stdout.write(`${node} takes part again; it owns ${addresses(owned)}\n`);
    });
}

async function drain({ socket, timeout, wait }: DrainOptions): Promise<number> {
  const { command, DRAIN_PATH, DEFAULT_STATUS_SOCKET } = await modules();
  const to = { socket: socket ?? DEFAULT_STATUS_SOCKET };
  let last = '';
  const show = (progress: DrainProgress): void => {
    const line = progressText(progress);
    if (line !== last) process.stdout.write(`${line}\n`);
    last = line;
  };
  const begun = await command<DrainProgress>('POST', DRAIN_PATH, to);
  show(begun);
  if (!wait || begun.owned === 0) return 0;
  const { node, owned } = await askUntil(
    () => command<DrainProgress>('GET', DRAIN_PATH, to),
    (progress) => progress.owned === 0,
    timeout,
    show,
  );
  if (owned === 0) return 0;
  process.stderr.write(
    `arpeggio: ${node} still owns ${addresses(owned)}: no other node may or can take them; arpeggio status shows which, and the peers\n`,
  );
  return 1;
}

/** A line that stays the same while nothing changes. */
export function progressText({ node, owned }: DrainProgress): string {
  return owned === 0 ? `${node} is drained: it owns nothing` : `${node} is draining: ${addresses(owned)} left`;
}

function addresses(count: number): string {
  return count === 1 ? '1 service IP' : `${count} service IPs`;
}

async function modules() {
  const [client, commands, paths] = await Promise.all([
    import('../status/client.js'),
    import('../status/commands.js'),
    import('../status/paths.js'),
  ]);
  return { ...client, ...commands, ...paths };
}
