import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { ArpeggioError } from '../../errors.js';
import { toolEnvironment } from '../command.js';

/** Where a door stands in each namespace. */
export const DOOR_PORT = 6443;
export const DOOR_SERVER = `https://127.0.0.1:${DOOR_PORT}`;

/**
 * How hosts of a network reach the API server, which listens in the namespace of this process: on their own loopback. Each door
 * can be shut for itself.
 */
export class Doors {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly waiting: { resolve: () => void; reject: (error: Error) => void; command: string }[] = [];

  /** @param target address and port of the API server */
  constructor(program: string, target: string) {
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', program, 'forward', target], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
      env: toolEnvironment(),
    });
    this.child.stdin.on('error', () => {});
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const asked = this.waiting.shift();
      if (line === 'ok') asked?.resolve();
      else asked?.reject(new ArpeggioError('ERR_SYSTEM', `door: ${asked.command}: ${line}`));
    });
    const ended = () => {
      for (const { reject, command } of this.waiting.splice(0))
        reject(new ArpeggioError('ERR_SYSTEM', `door: ${command}: it has ended`));
    };
    this.child.once('close', ended).once('error', ended);
  }

  /** Opens a door on {@link DOOR_PORT} of the namespace's loopback, which has to be up. */
  add(name: string, namespace: string): Promise<void> {
    return this.ask(`add ${name} /run/netns/${namespace} 127.0.0.1:${DOOR_PORT}`);
  }

  /** Connections are reset, new ones refused. */
  cut(name: string): Promise<void> {
    return this.ask(`cut ${name}`);
  }

  /** Connections stay, but nothing passes any more. */
  hang(name: string): Promise<void> {
    return this.ask(`hang ${name}`);
  }

  /** After {@link cut} or {@link hang}. */
  open(name: string): Promise<void> {
    return this.ask(`open ${name}`);
  }

  close(): void {
    this.child.stdin.end();
  }

  private ask(command: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject, command });
      this.child.stdin.write(`${command}\n`);
    });
  }
}
