import { readFileSync } from 'node:fs';

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/**
 * SIGKILL to a process of ours and everything it has started. Stopped first: a parent shall not start its children
 * again, nor a child end in good order because its parent is gone.
 */
export function killTree(pid: number): void {
  const found = [pid];
  for (const parent of found) {
    signal(parent, 'SIGSTOP');
    found.push(...childrenOf(parent));
  }
  for (const each of found.reverse()) signal(each, 'SIGKILL');
}
