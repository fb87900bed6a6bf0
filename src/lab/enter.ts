// node dist/src/lab/enter.js -- COMMAND...: runs the command where networks can be built: here as root, else as root
// of namespaces of its own. Where the kernel forbids that, says why and ends with 77.
import { enterNamespace, networkAccess, runInherited } from './access.js';

const EXIT_UNAVAILABLE = 77;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 0) {
    process.stderr.write('usage: node dist/src/lab/enter.js -- COMMAND [ARGUMENT...]\n');
    return 2;
  }
  const access = networkAccess();
  if (access.kind === 'direct') return runInherited(argv);
  if (access.kind === 'enter') return enterNamespace(argv);
  process.stderr.write(`unavailable: ${access.reason}\n`);
  return EXIT_UNAVAILABLE;
}

const given = process.argv.slice(2);
process.exitCode = await main(given[0] === '--' ? given.slice(1) : given);
