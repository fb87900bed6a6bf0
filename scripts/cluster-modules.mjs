// node scripts/cluster-modules.mjs 1.36.3: writes go.mod and go.sum of test/cluster/control-plane for that version of
// Kubernetes. Its own go.mod replaces the modules that it keeps in ./staging, which counts only for itself; others have to
// name them one by one.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, runOrThrow } from './steps.mjs';
import { ROOT, SetupError } from './tools.mjs';

const SOURCE = join(ROOT, 'test/cluster/control-plane');

await main(async () => {
  const [, minor] = /^1\.(\d+\.\d+)$/.exec(process.argv[2] ?? '') ?? [];
  if (minor === undefined) throw new SetupError('usage: node scripts/cluster-modules.mjs 1.MINOR.PATCH');
  const env = { ...process.env, GOTOOLCHAIN: 'local' };
  const download = await runOrThrow('go', 'go', ['mod', 'download', '-json', `k8s.io/kubernetes@v1.${minor}`], { env });
  const kubernetes = readFileSync(JSON.parse(download.slice(download.indexOf('{'))).GoMod, 'utf8');
  const version = (pattern) => pattern.exec(kubernetes)?.[1];
  const staged = [...kubernetes.matchAll(/^\s+(\S+) => \.\/staging\/\S+$/gm)].map(([, module]) => module);
  if (staged.length === 0) throw new SetupError('no replaced modules were found in the go.mod of k8s.io/kubernetes');
  const lines = [
    'module arpeggio/test/cluster/control-plane',
    '',
    `go ${version(/^go (\S+)$/m)}`,
    '',
    `godebug default=${version(/^\s*(?:godebug )?default=(\S+)$/m)}`,
    '',
    'require (',
    `\tgo.etcd.io/etcd/server/v3 ${version(/go\.etcd\.io\/etcd\/server\/v3 (\S+)/)}`,
    `\tk8s.io/kubernetes v1.${minor}`,
    ')',
    '',
    'replace (',
    ...staged.map((module) => `\t${module} => ${module} v0.${minor}`),
    ')',
  ];
  writeFileSync(join(SOURCE, 'go.mod'), `${lines.join('\n')}\n`);
  await runOrThrow('go mod tidy', 'go', ['mod', 'tidy'], { cwd: SOURCE, env });
});
