#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.js';
import { cleanupCommand } from './cleanup.js';
import { describeError, EXIT_OK, EXIT_USAGE } from './cli_error.js';
import { controllerCommand } from './controller.js';
import { drainCommand, undrainCommand } from './drain.js';
import { labCommand } from './lab.js';
import { moveCommand } from './move.js';
import { runCommand } from './run.js';
import { speakerCommand } from './speaker.js';
import { statusCommand } from './status.js';

// A command's file holds its options and loads the rest within its action, so that help costs next to nothing.
const COMMANDS = [
  runCommand,
  speakerCommand,
  controllerCommand,
  statusCommand,
  drainCommand,
  undrainCommand,
  moveCommand,
  cleanupCommand,
  labCommand,
];

function program(): Command {
  const root = new Command('arpeggio')
    .description(
      'Layer-2 service IPs: nodes share them, answer ARP and NDP for them by the RFCs, and replace each other at once.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('(arpeggio --help lists the commands and options)')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 failed, 2 bad command line or configuration.

Examples:
  arpeggio run --config arpeggio.yaml    speak for the service IPs of a file
  arpeggio speaker --node-name NODE      the same for the services of a Kubernetes cluster
  arpeggio status                        who answers for what, since when, why
  arpeggio drain                         give the service IPs to the other nodes, without a lost packet
  arpeggio cleanup                       after a stop: take the service IPs off this node
  arpeggio lab                           see it work, in network namespaces of its own`,
    )
    .exitOverride();
  for (const command of COMMANDS) root.addCommand(command().copyInheritedSettings(root));
  return root;
}

async function main(): Promise<number> {
  try {
    await program().parseAsync();
    return Number(process.exitCode ?? EXIT_OK);
  } catch (error) {
    // Commander has printed its message, and counts --help and --version as 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    const { text, exitCode } = describeError(error);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}

// `arpeggio status | head` closes the pipe early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT_OK);
});

process.exitCode = await main();
