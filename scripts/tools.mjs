// What a fresh clone needs from the machine, and where to get what is missing. Node built-ins only: this runs before
// anything is installed.
import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const OLDEST_NODE = [20, 19];

const TOOLS = [
  { command: 'npm', remedy: 'apt-get install npm, or install Node.js from nodejs.org, which brings it' },
  { command: 'python3', remedy: 'apt-get install python3' },
  { command: 'make', remedy: 'apt-get install make' },
  { command: 'g++', remedy: 'apt-get install g++' },
  { command: 'ip', remedy: 'apt-get install iproute2' },
];

/** Thrown for what the user must mend; its message is the whole story, no stack is needed. */
export class SetupError extends Error {
  name = 'SetupError';
}

/** Full path of a command, or null. sbin is searched too: an ordinary user's PATH on Debian leaves it out. */
export function findCommand(command) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, command);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return null;
}

/** Folder of a header below a Node directory: an installation keeps it in include/node, a source tree in src. */
function headersIn(directory) {
  for (const folder of ['include/node', 'src']) {
    if (existsSync(join(directory, folder, 'node_api.h'))) return join(directory, folder);
  }
  return null;
}

/**
 * The directory for node-gyp's --nodedir and its folder with node_api.h. node-gyp would download headers without it,
 * which a build must never do.
 */
export function nodeHeaders() {
  const named = process.env.npm_config_nodedir ?? process.env.npm_package_config_node_gyp_nodedir;
  if (named) {
    const directory = resolve(named);
    const include = headersIn(directory);
    if (include === null) {
      throw new SetupError(
        `npm_config_nodedir (or nodedir in .npmrc) names ${directory}, but there is no include/node/node_api.h below it: ` +
          'let it name the directory that holds include/node, or remove the setting',
      );
    }
    return { directory, include };
  }
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  for (const directory of [prefix, '/usr/include/nodejs']) {
    // Debian's libnode-dev belongs to Debian's node alone.
    if (directory !== prefix && prefix !== '/usr') continue;
    const include = headersIn(directory);
    if (include !== null) return { directory, include };
  }
  throw new SetupError(
    `the headers of Node.js ${process.version} are missing: ${join(prefix, 'include/node/node_api.h')} does not exist. ` +
      'Install Node.js from the full tarball of nodejs.org, which contains include/; or, for the node of Debian itself, ' +
      'apt-get install libnode-dev; or set npm_config_nodedir to a directory that holds include/node of this version',
  );
}

/** node-gyp's entry point: ours when the development dependencies are there, else the one that npm brings. */
export function findNodeGyp() {
  const candidates = [];
  try {
    candidates.push(createRequire(join(ROOT, 'package.json')).resolve('node-gyp/bin/node-gyp.js'));
  } catch {}
  if (process.env.npm_config_node_gyp) candidates.push(process.env.npm_config_node_gyp);
  const npmPaths = [process.env.npm_execpath, findCommand('npm')].filter((path) => path && existsSync(path));
  for (const path of npmPaths) {
    // bin/npm-cli.js or bin/npm, behind a link as a rule.
    candidates.push(join(dirname(dirname(realpathSync(path))), 'node_modules/node-gyp/bin/node-gyp.js'));
  }
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  candidates.push(join(prefix, 'lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js'));
  candidates.push('/usr/share/nodejs/node-gyp/bin/node-gyp.js');
  const found = candidates.find((path) => existsSync(path));
  if (!found)
    throw new SetupError('node-gyp is missing: it comes with npm; apt-get install node-gyp, or reinstall npm');
  return found;
}

/** Throws one SetupError that names everything missing. */
export function requireTools(commands = TOOLS.map((tool) => tool.command)) {
  const problems = [];
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    problems.push(
      `Node.js ${process.versions.node} is too old: ${OLDEST_NODE.join('.')} or newer is needed (nodejs.org or NodeSource)`,
    );
  }
  for (const { command, remedy } of TOOLS) {
    if (commands.includes(command) && findCommand(command) === null) problems.push(`${command} is missing: ${remedy}`);
  }
  if (commands.includes('g++')) {
    try {
      nodeHeaders();
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new SetupError(problems.join('\n'));
}
