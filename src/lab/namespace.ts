import { type CommandOptions, type CommandResult, runCommand } from './command.js';

/** Runs `ip` commands, one per entry, in one process; in the caller's own namespace when `namespace` is null. */
export async function batch(namespace: string | null, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  const where = namespace === null ? [] : ['-n', namespace];
  await runCommand(['ip', ...where, '-batch', '-'], { input: `${commands.join('\n')}\n` });
}

export function execIn(
  namespace: string,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return runCommand(['ip', 'netns', 'exec', namespace, ...argv], options);
}

const sysctlPath = (name: string) => `/proc/sys/${name.replaceAll('.', '/')}`;

/** Names with dots, as sysctl(8) takes them. */
export async function setSysctls(namespace: string, values: Readonly<Record<string, string>>): Promise<void> {
  if (Object.keys(values).length === 0) return;
  const script = Object.entries(values).map(([name, value]) => `echo '${value}' > ${sysctlPath(name)}`);
  await execIn(namespace, ['sh', '-e'], { input: script.join('\n') });
}

/** The values, in the order of the names. */
export async function readSysctls(namespace: string, names: readonly string[]): Promise<string[]> {
  const { stdout } = await execIn(namespace, ['cat', ...names.map(sysctlPath)]);
  return stdout.trim().split('\n');
}
