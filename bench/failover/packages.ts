import { runCommand } from '../../src/lab/command.js';

/** Debian packages of the systems to compare with, by the command that each brings. */
const PACKAGES = { keepalived: 'keepalived', ucarp: 'ucarp' } as const;

export type Command = keyof typeof PACKAGES;

async function isThere(command: string): Promise<boolean> {
  return (await runCommand(['sh', '-c', `command -v ${command}`], { allowFailure: true })).code === 0;
}

/**
 * Installs what is missing with apt-get. Returns, by command, why it cannot be had; nothing of what was installed is
 * started by that: neither has a configuration.
 */
export async function ensurePackages(
  wanted: readonly Command[],
  say: (text: string) => void,
): Promise<ReadonlyMap<Command, string>> {
  const missing: Command[] = [];
  for (const command of wanted) if (!(await isThere(command))) missing.push(command);
  if (missing.length === 0) return new Map();
  const names = missing.map((command) => PACKAGES[command]);
  const cannot = (reason: string) => new Map(missing.map((command) => [command, reason]));
  if (!(await isThere('apt-get')))
    return cannot(`there is no apt-get to install it; install ${names.join(' and ')} and run this again`);
  say(`installing ${names.join(' and ')} to compare with (apt-get)`);
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive'];
  const install = [...environment, 'apt-get', 'install', '--yes', '--quiet=2', '--no-install-recommends', ...names];
  for (const command of [install, [...environment, 'apt-get', 'update', '--quiet=2'], install]) {
    const { code, stderr } = await runCommand(command, { allowFailure: true, timeoutMs: 300_000 });
    if (code === 0 && command === install) return new Map();
    if (code !== 0 && command !== install) return cannot(`apt-get update fails: ${stderr.trim()}`);
  }
  return cannot(`apt-get install ${names.join(' ')} fails; try it by hand`);
}

/** First line of what a command says of its version; null where it is missing. */
export async function versionOf(command: readonly string[]): Promise<string | null> {
  const { stdout, stderr } = await runCommand(command, { allowFailure: true });
  return (stdout.trim() || stderr.trim()).split('\n')[0]?.trim() || null;
}
