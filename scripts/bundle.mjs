// What setup puts into few files: a process that loads three hundred modules starts 150 ms later and keeps 15 MB more.
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ROOT } from './tools.mjs';

/** Packages in CommonJS ask for Node's modules by require(). One bundle may hold another: `name` keeps their lines apart. */
const requireLine = (name) =>
  `import{createRequire as ${name}}from'node:module';const require=${name}(import.meta.url);`;

async function bundle(name, options) {
  const { build } = await import('esbuild');
  await build({
    allowOverwrite: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'error',
    banner: { js: requireLine(name) },
    ...options,
  });
}

/**
 * Puts what is used of @kubernetes/client-node into the one file that imports it. Whole, the package takes 60 MB more memory
 * and half a second to load; and so it need not be installed beside the published package.
 */
export async function bundleClientNode() {
  const file = join(ROOT, 'dist/src/kubernetes/client_node.js');
  await bundle('requireOfClient', {
    entryPoints: [file],
    outfile: file,
    minify: true,
    plugins: [{ name: 'leave-out', setup: leaveOut }],
  });
}

/** What KubeConfig imports for requests of its own, which we do not use: a thousand models of the API, and HTTP clients. */
const LEFT_OUT = {
  './gen/index.js': ['createConfiguration', 'ServerConfiguration'],
  './middleware.js': ['setHeaderMiddleware'],
  undici: ['Agent', 'ProxyAgent'],
};

function leaveOut(build) {
  build.onResolve({ filter: /^@kubernetes\/client-node$/ }, ({ path, kind, resolveDir }) =>
    build.resolve(`${path}/dist/config.js`, { kind, resolveDir }),
  );
  for (const [path, names] of Object.entries(LEFT_OUT)) {
    build.onResolve({ filter: new RegExp(`^${path.replaceAll('.', '\\.')}$`) }, () => ({
      path,
      namespace: 'left-out',
    }));
    const contents = names.map((name) => `export const ${name} = undefined;`).join('');
    build.onLoad({ filter: /./, namespace: 'left-out' }, ({ path: asked }) =>
      asked === path ? { contents } : undefined,
    );
  }
}

/**
 * Puts the program, with the packages that it uses, into dist/src/cli/main.js and a few files beside it, one for each part that
 * is loaded only when needed. The single modules stay as they are, for the tests. Call with the compiled modules in place.
 */
export async function bundleCommandLine() {
  const folder = join(ROOT, 'dist/src/cli');
  await bundle('requireOfProgram', {
    entryPoints: [join(folder, 'main.js')],
    outdir: folder,
    splitting: true,
    chunkNames: 'bundled-[name]-[hash]',
    // It looks for the addon in directories beside the package.
    external: ['node-gyp-build'],
    plugins: [{ name: 'keep-places', setup: (build) => keepPlaces(build, folder) }],
  });
}

/** Who asks by import.meta.url where its module is gets the answer that it had before it was put into a file of `folder`. */
function keepPlaces(build, folder) {
  build.onLoad({ filter: /\.[cm]?js$/ }, async ({ path }) => {
    const text = await readFile(path, 'utf8');
    if (/\bimport\.meta\.(dirname|filename)\b/.test(text) && !path.includes('/node_modules/'))
      throw new Error(`${path}: import.meta.dirname would be that of the bundle; use import.meta.url`);
    // Maps of packages name sources that they come without.
    if (path.includes('/node_modules/')) return { contents: text.replaceAll(/^\/\/# sourceMappingURL=.*$/gm, '') };
    const place = `new URL(${JSON.stringify(relative(folder, path))},import.meta.url).href`;
    return { contents: text.replaceAll('import.meta.url', () => place) };
  });
}
