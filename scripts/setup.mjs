// Sets up whatever is missing or out of date: dependencies, addon, compiled TypeScript. Works on a fresh clone.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon } from './build-addon.mjs';
import { filesBelow, fingerprint, isMain, main, readStamp, runOrThrow, step, writeStamp } from './steps.mjs';
import { findCommand, ROOT, requireTools } from './tools.mjs';

const COMPILED_STAMP = 'dist/.stamp';
const SOURCE_FOLDERS = ['src', 'test', 'bench'];

/** npm writes what it installed to node_modules/.package-lock.json; whatever the lock file asks for must be there. */
function dependenciesAreCurrent() {
  const installedPath = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(installedPath)) return false;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    if (installed[path] === undefined) return entry.optional === true;
    return installed[path].version === entry.version && existsSync(join(ROOT, path));
  });
}

async function installDependencies(quiet) {
  if (dependenciesAreCurrent()) return;
  await step('installing dependencies (npm ci)', quiet, () =>
    // Development dependencies are needed to build, whatever NODE_ENV says; the addon is built by the next step.
    runOrThrow('npm ci', findCommand('npm'), ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund']),
  );
}

/** tsc leaves the output of deleted sources behind; a deleted test would go on running. */
function removeStaleOutput() {
  for (const file of filesBelow('dist', (path) => /\.(js|js\.map)$/.test(path))) {
    const source = file.replace(/^dist\//, '').replace(/\.js(\.map)?$/, '.ts');
    if (!existsSync(join(ROOT, source))) rmSync(join(ROOT, file));
  }
}

async function compile(quiet) {
  const sources = SOURCE_FOLDERS.flatMap((folder) => filesBelow(folder, (path) => path.endsWith('.ts')));
  const stamp = fingerprint([...sources, 'tsconfig.json', 'package-lock.json']);
  if (readStamp(COMPILED_STAMP) === stamp) return;
  await step('compiling TypeScript', quiet, async () => {
    await runOrThrow('compiling TypeScript', process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc')]);
    removeStaleOutput();
    await bundleClientNode();
    writeStamp(COMPILED_STAMP, stamp);
  });
}

/**
 * Puts what is used of @kubernetes/client-node into the one file that imports it. Whole, the package takes 60 MB more memory
 * and half a second to load; and so it need not be installed beside the published package.
 */
async function bundleClientNode() {
  const { build } = await import('esbuild');
  const file = join(ROOT, 'dist/src/kubernetes/client_node.js');
  await build({
    entryPoints: [file],
    outfile: file,
    allowOverwrite: true,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'error',
    // Packages in CommonJS ask for Node's modules by require().
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    plugins: [{ name: 'leave-out', setup: leaveOut }],
  });
}

/** What KubeConfig imports for requests of its own, which we do not use: a thousand models of the API, and HTTP clients. */
const LEFT_OUT = {
  './gen/index.js': ['createConfiguration', 'ServerConfiguration'],
  './middleware.js': ['setHeaderMiddleware'],
  undici: ['Agent', 'ProxyAgent'],
};

function leaveOut(bundle) {
  bundle.onResolve({ filter: /^@kubernetes\/client-node$/ }, ({ path, kind, resolveDir }) =>
    bundle.resolve(`${path}/dist/config.js`, { kind, resolveDir }),
  );
  for (const [path, names] of Object.entries(LEFT_OUT)) {
    bundle.onResolve({ filter: new RegExp(`^${path.replaceAll('.', '\\.')}$`) }, () => ({
      path,
      namespace: 'left-out',
    }));
    const contents = names.map((name) => `export const ${name} = undefined;`).join('');
    bundle.onLoad({ filter: /./, namespace: 'left-out' }, ({ path: asked }) =>
      asked === path ? { contents } : undefined,
    );
  }
}

/** Everything that `npm start` and `npm test` need. Says what it does, one line per step; nothing when all is there. */
export async function setup({ quiet = false } = {}) {
  requireTools();
  await installDependencies(quiet);
  await buildAddon(quiet);
  await compile(quiet);
}

if (isMain(import.meta)) await main(() => setup({ quiet: process.argv.includes('--quiet') }));
