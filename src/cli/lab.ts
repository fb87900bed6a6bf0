import { Command } from 'commander';
import type { Expectation, Timeline } from '../lab/timeline.js';

interface LabOptions {
  json?: true;
  keep?: true;
  kubernetes?: true;
}

const EXIT_FAILED = 1;
const EXIT_UNAVAILABLE = 77;

/** `arpeggio lab`: a small real network in namespaces, with nodes that fail and real clients, that shows what works. */
export function labCommand(): Command {
  return new Command('lab')
    .description(
      'build a small network in namespaces, run three nodes and real clients in it, take nodes away, and see what clients notice',
    )
    .option(
      '--kubernetes',
      'do so with a Kubernetes cluster: real control plane and kube-proxy, speakers and controllers',
    )
    .option('--json', 'write events, expectations and the summary as JSON, one object per line')
    .option('--keep', 'leave everything running at the end, until Ctrl-C, for a look around')
    .addHelpText(
      'after',
      `
Nothing outside the namespaces is touched, and all of it is removed at the end. Needs iproute2.
Without root it runs in a user namespace of its own.

--kubernetes needs nftables, curl, and a program that holds the control plane. In a clone of the source it is built when it
is not there, which needs Go and takes minutes the first time; ARPEGGIO_CONTROL_PLANE may name it.

Exit codes: 0 every expectation held, 1 one did not, 77 this machine has no network namespaces for us.

Examples:
  arpeggio lab
  arpeggio lab --kubernetes
  arpeggio lab --json | jq -c 'select(.type == "expectation" and (.held | not))'`,
    )
    .action(async (options: LabOptions) => {
      process.exitCode = await enterAndPlay(options);
    });
}

async function enterAndPlay(options: LabOptions): Promise<number> {
  const { enterNamespace, networkAccess } = await import('../lab/access.js');
  const access = networkAccess();
  if (options.kubernetes && access.kind !== 'unavailable') {
    const { controlPlaneProgram } = await import('../lab/kubernetes/program.js');
    // Here, where there is a network to build it, and for the process in the namespace too.
    process.env.ARPEGGIO_CONTROL_PLANE = await controlPlaneProgram((line) => process.stderr.write(`${line}\n`));
  }
  if (access.kind === 'direct') return play(options);
  if (access.kind === 'enter') return enterNamespace([process.execPath, ...process.argv.slice(1)]);
  if (options.json) process.stdout.write(`${JSON.stringify({ type: 'unavailable', reason: access.reason })}\n`);
  process.stderr.write(
    `arpeggio: SKIPPED, the lab needs network namespaces, which are unavailable: ${access.reason}\n`,
  );
  return EXIT_UNAVAILABLE;
}

async function play({ json, keep, kubernetes }: LabOptions): Promise<number> {
  const { JsonTimeline, TextTimeline } = await import('../lab/timeline.js');
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  const timeline = json ? new JsonTimeline(process.stdout) : new TextTimeline(process.stdout, colour);
  const playScenes = kubernetes ? playKubernetes : playHosts;
  const expectations = await playScenes(timeline, keep === true);
  return expectations.length > 0 && expectations.every(({ held }) => held) ? 0 : EXIT_FAILED;
}

async function playHosts(timeline: Timeline, keep: boolean): Promise<readonly Expectation[]> {
  const [{ Lab }, { SCENES }] = await Promise.all([import('../lab/lab.js'), import('../lab/scenes/index.js')]);
  return Lab.play(SCENES, timeline, keep);
}

async function playKubernetes(timeline: Timeline, keep: boolean): Promise<readonly Expectation[]> {
  const [{ KubernetesLab }, { KUBERNETES_SCENES }] = await Promise.all([
    import('../lab/kubernetes/kubernetes_lab.js'),
    import('../lab/kubernetes/scenes/index.js'),
  ]);
  return KubernetesLab.play(process.env.ARPEGGIO_CONTROL_PLANE ?? '', KUBERNETES_SCENES, timeline, keep);
}
