// Compiles the native sources by hand, for the sanitizers and the fuzzer: node-gyp builds only what users run.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, fingerprint, readStamp, runOrThrow, step, writeStamp } from './steps.mjs';
import { nodeHeaders, ROOT, SetupError } from './tools.mjs';

const CONCURRENCY = 2;
const WARNINGS = ['-Wall', '-Wextra', '-Wshadow', '-Wnon-virtual-dtor', '-Woverloaded-virtual', '-Werror'];
/** The only native files that know Node (test/tidy.test.ts holds them to it); the rest links without. */
const NODE_FACING = /^native\/(addon|responder_wrap|heartbeater_wrap|js_error|js_events|js_heartbeats)\./;

export const nativeSources = () => filesBelow('native', (path) => path.endsWith('.cc'));
export const pureSources = () => nativeSources().filter((path) => !NODE_FACING.test(path));

export function addonFlags() {
  const addonApi = join(ROOT, 'node_modules/node-addon-api');
  const headers = ['-isystem', addonApi, '-isystem', nodeHeaders().include];
  return [
    '-fPIC',
    '-DNAPI_VERSION=9',
    '-DNAPI_CPP_EXCEPTIONS',
    '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
    ...headers,
  ];
}

/** Node brings OpenSSL to the addon, headers and symbols; a program without node needs a libcrypto of its own. */
export const CRYPTO_FLAGS = ['-lcrypto'];

export function requireCrypto() {
  if (existsSync('/usr/include/openssl/evp.h')) return;
  throw new SetupError('the headers of OpenSSL are missing: apt-get install libssl-dev');
}

/**
 * Compiles `sources` into `folder` with `compiler` and `flags` and links them to `output` there. Only what changed is
 * compiled; a change of any header counts for every source.
 */
export async function compileNative({ what, compiler, sources, flags, linkFlags, folder, output }) {
  const headers = ['native', 'test'].flatMap((top) => filesBelow(top, (path) => path.endsWith('.h')));
  const options = ['-std=c++17', '-g', ...WARNINGS, '-Inative', ...flags];
  const common = fingerprint(headers, compiler, process.version, ...options);
  const objects = sources.map((source) => join(folder, `${source.replaceAll('/', '-')}.o`));
  mkdirSync(join(ROOT, folder), { recursive: true });
  const stale = sources
    .map((source, index) => ({ source, object: objects[index], stamp: fingerprint([source], common) }))
    .filter(({ object, stamp }) => readStamp(`${object}.stamp`) !== stamp || !existsSync(join(ROOT, object)));
  const outputPath = join(folder, output);
  const linkStamp = fingerprint(sources, common, ...linkFlags);
  const linked = readStamp(`${outputPath}.stamp`) === linkStamp && existsSync(join(ROOT, outputPath));
  if (stale.length === 0 && linked) return join(ROOT, outputPath);
  await step(`compiling ${what}`, false, async () => {
    writeStamp(`${outputPath}.stamp`, 'outdated');
    const worker = async () => {
      for (let next = stale.shift(); next !== undefined; next = stale.shift()) {
        const { source, object, stamp } = next;
        await runOrThrow(`compiling ${source}`, compiler, [...options, '-c', source, '-o', object]);
        writeStamp(`${object}.stamp`, stamp);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    await runOrThrow(`linking ${output}`, compiler, [...objects, ...linkFlags, '-o', outputPath]);
    writeStamp(`${outputPath}.stamp`, linkStamp);
  });
  return join(ROOT, outputPath);
}
