import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { ArpeggioError } from '../errors.js';

interface StatusOptions {
  json?: true;
  socket?: string;
  watch?: true;
}

const WATCH_INTERVAL_MS = 1000;
const CLEAR_SCREEN = '\x1b[H\x1b[2J\x1b[3J';

/** `arpeggio status`: who answers for what, since when, and why. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show who answers for which service IP, since when and why')
    .option('--json', 'print the status as JSON, as GET /api/v1/status gives it')
    .option('--socket <path>', 'unix socket of the speaker (default: /run/arpeggio/arpeggio.sock)')
    .option('--watch', 'show it again every second, until Ctrl-C; with --json a line each time')
    .addHelpText(
      'after',
      `
Exit code: 0, or 1 when no speaker can be asked.

Examples:
  arpeggio status
  arpeggio status --watch
  arpeggio status --json | jq '.addresses[] | select(.answering | not)'`,
    )
    .action(async (options: StatusOptions) => {
      if (options.watch) await watch(options);
      else process.stdout.write(await statusText(options));
    });
}

async function statusText({ json, socket, watch }: StatusOptions): Promise<string> {
  const [{ fetchStatus }, { DEFAULT_STATUS_SOCKET }, { renderStatus }] = await Promise.all([
    import('../status/client.js'),
    import('../status/paths.js'),
    import('../status/render.js'),
  ]);
  const { status, text } = await fetchStatus({ socket: socket ?? DEFAULT_STATUS_SOCKET });
  if (json) return `${JSON.stringify(JSON.parse(text), null, watch ? 0 : 2)}\n`;
  return renderStatus(status, { color: process.stdout.isTTY === true && !process.env.NO_COLOR });
}

// A speaker that restarts is no reason to stop watching.
async function watch(options: StatusOptions): Promise<never> {
  const clear = process.stdout.isTTY && !options.json ? CLEAR_SCREEN : '';
  for (;;) {
    try {
      process.stdout.write(clear + (await statusText(options)));
    } catch (error) {
      if (!(error instanceof ArpeggioError)) throw error;
      process.stderr.write(`${clear}arpeggio: ${error.message}\n`);
    }
    await sleep(WATCH_INTERVAL_MS);
  }
}
