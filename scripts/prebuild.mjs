// npm run prebuild: builds the addon into prebuilds/ for publishing, with the headers beside the node binary. For another
// architecture set PREBUILD_ARCH, CC, CXX and PREBUILD_STRIP_BIN, e.g. arm64, aarch64-linux-gnu-gcc and so on.
import { join } from 'node:path';
import { isMain, main, run, runOrThrow, step } from './steps.mjs';
import { findNodeGyp, nodeHeaders, ROOT, requireTools } from './tools.mjs';

async function prebuild() {
  requireTools(['python3', 'make', 'g++']);
  const env = { ...process.env, npm_config_nodedir: nodeHeaders().directory, PREBUILD_NODE_GYP: findNodeGyp() };
  const prebuildify = join(ROOT, 'node_modules/prebuildify/bin.js');
  await step('building the addon for prebuilds/', false, () =>
    runOrThrow('prebuildify', process.execPath, [prebuildify, '--napi', '--strip', '--tag-libc'], { env }),
  );
  if (process.env.PREBUILD_ARCH && process.env.PREBUILD_ARCH !== process.arch) return 0;
  const load = `process.stdout.write(require('node-gyp-build').resolve(${JSON.stringify(ROOT)}) + ' loads\\n');
    require('node-gyp-build')(${JSON.stringify(ROOT)})`;
  const { code } = await run(process.execPath, ['-e', load], { env: { ...process.env, PREBUILDS_ONLY: '1' } });
  return code;
}

if (isMain(import.meta)) await main(prebuild);
