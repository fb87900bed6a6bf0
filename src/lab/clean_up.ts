// What has to be taken down however this process ends: in order, at its exit, on SIGINT, SIGTERM and SIGHUP. After SIGKILL
// it is the next run that sweeps.
export interface Closable {
  /** Synchronous: called while exiting, too. A second call does nothing. */
  close(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** The newest goes first. */
const open: Closable[] = [];

function closeAll(): void {
  for (const one of open.splice(0).reverse()) one.close();
}

function onSignal(signal: NodeJS.Signals): void {
  closeAll();
  // Die of the signal, so that our parent sees what happened.
  detach();
  process.kill(process.pid, signal);
}

function attach(): void {
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on('exit', closeAll);
}

function detach(): void {
  for (const signal of SIGNALS) process.off(signal, onSignal);
  process.off('exit', closeAll);
}

/** Has it closed at the latest when this process ends. */
export function closeAtEnd(one: Closable): void {
  if (open.length === 0) attach();
  open.push(one);
}

/** It is closed: nobody has to do so any more. */
export function isClosed(one: Closable): void {
  const index = open.indexOf(one);
  if (index < 0) return;
  open.splice(index, 1);
  if (open.length === 0) detach();
}
