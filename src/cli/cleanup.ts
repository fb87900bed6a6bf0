import { Command } from 'commander';
import { ArpeggioError } from '../errors.js';
import type { CleanupReport } from '../serve/undo.js';

interface CleanupOptions {
  stateFile?: string;
  socket?: string;
  force?: true;
}

/** `arpeggio cleanup`: undoes what "serve: loopback" has left on this node. */
export function cleanupCommand(): Command {
  return new Command('cleanup')
    .description('remove the service IPs that a stopped or crashed speaker left on lo, and restore the sysctls')
    .option('--state-file <path>', 'where the speaker wrote down what it changed (default: /run/arpeggio/serve.json)')
    .option(
      '--socket <path>',
      'unix socket of the speaker, to see that it does not run (default: /run/arpeggio/arpeggio.sock)',
    )
    .option('--force', 'also while a speaker is running')
    .addHelpText(
      'after',
      `
A speaker that stops keeps the addresses on lo ("serve: loopback"), so that clients
that still send to this node are served. This command takes them away. Addresses that
were there before the speaker are left alone, and so are sysctls that were changed since.
With nothing to do it succeeds.

Examples:
  arpeggio cleanup
  arpeggio cleanup --state-file /run/arpeggio/lab.json`,
    )
    .action(async ({ stateFile, socket, force }: CleanupOptions) => {
      const { cleanUp } = await import('../serve/undo.js');
      const { DEFAULT_STATE_FILE } = await import('../serve/state_file.js');
      if (!force) await refuseWhileRunning(socket);
      process.stdout.write(cleanupText(await cleanUp(stateFile ?? DEFAULT_STATE_FILE, { force: force === true })));
    });
}

async function refuseWhileRunning(socket: string | undefined): Promise<void> {
  const { fetchStatus } = await import('../status/client.js');
  const { DEFAULT_STATUS_SOCKET } = await import('../status/paths.js');
  let who: string;
  try {
    const { status } = await fetchStatus({ socket: socket ?? DEFAULT_STATUS_SOCKET });
    who = `node ${status.node}, process ${status.process.pid}`;
  } catch (error) {
    if (error instanceof ArpeggioError && error.code === 'ERR_STATUS_UNREACHABLE') return;
    throw error;
  }
  throw new ArpeggioError(
    'ERR_ALREADY_RUNNING',
    `a speaker is running (${who}): it would go on answering for addresses that this node no longer has, and their ` +
      'traffic would be lost; stop it first, or use --force',
  );
}

/** One line per thing that was done. */
export function cleanupText({ removed, restored, kept }: CleanupReport): string {
  const lines = [
    ...removed.map((address) => `removed ${address} from lo`),
    ...restored.map(
      ({ interfaceName, sysctl, value }) => `restored net.ipv4.conf.${interfaceName}.${sysctl} to ${value}`,
    ),
    ...kept.map(
      ({ interfaceName, sysctl, value }) =>
        `left net.ipv4.conf.${interfaceName}.${sysctl} at ${value}: it was changed after the speaker had set it`,
    ),
  ];
  return `${lines.length > 0 ? lines.join('\n') : 'nothing to clean up'}\n`;
}
