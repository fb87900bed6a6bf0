import { type FSWatcher, lstatSync, readlinkSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import { ArpeggioError } from '../../errors.js';

/** As many symbolic links as the kernel follows (MAXSYMLINKS). */
const MAX_SYMLINKS = 40;

/**
 * Tells when a path may lead to other content than before: the file is written, replaced by a rename, deleted, created,
 * or one of the directories and symbolic links on the way to it is exchanged (as Kubernetes updates a ConfigMap).
 */
export class PathWatcher {
  readonly #file: string;
  readonly #onEvent: () => void;
  /** By path and inode: a directory that was replaced needs a new watch under the old name. */
  #watchers = new Map<string, FSWatcher>();

  constructor(file: string, onEvent: () => void) {
    this.#file = path.resolve(file);
    this.#onEvent = onEvent;
  }

  /**
   * Watches the way that the path takes now. Call it again after an event, before reading: the way may be another one.
   * Throws ArpeggioError ERR_SYSTEM if its end cannot be watched; the rest of it is then.
   */
  refresh(): void {
    const { directories, file } = wayTo(this.#file);
    const wanted = new Map<string, FSWatcher>();
    let failure: unknown = null;
    const keep = (target: string, names: ReadonlySet<string> | null): boolean => {
      try {
        const { dev, ino } = statSync(target);
        const key = [dev, ino, ...(names ?? []), target].join('/');
        if (!wanted.has(key)) wanted.set(key, this.#watchers.get(key) ?? this.#watch(target, names));
        return true;
      } catch (error) {
        failure = error;
        return false;
      }
    };
    // A directory further up may be closed to us. The one that has the file, or should have it, must not be.
    let lastWatched = false;
    for (const [directory, names] of directories) lastWatched = keep(directory, names);
    // The file itself too: where it is a mount point, its directory does not hear of it.
    if (file !== null && keep(file, null)) lastWatched = true;
    for (const [key, watcher] of this.#watchers) if (!wanted.has(key)) watcher.close();
    this.#watchers = wanted;
    if (!lastWatched) throw cannotWatch(this.#file, failure);
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(target: string, names: ReadonlySet<string> | null): FSWatcher {
    const watcher = watch(target, (_event, name) => {
      if (names === null || name === null || names.has(name)) this.#onEvent();
    });
    watcher.on('error', () => this.#onEvent());
    return watcher;
  }
}

function cannotWatch(file: string, cause: unknown): ArpeggioError {
  const { code, errno } = cause as NodeJS.ErrnoException;
  const advice =
    code === 'ENOSPC' || code === 'EMFILE'
      ? 'raise fs.inotify.max_user_watches and fs.inotify.max_user_instances'
      : 'make its directory readable for this process';
  return new ArpeggioError('ERR_SYSTEM', `cannot watch ${file} for changes (${code}): ${advice}`, {
    syscall: 'inotify_add_watch',
    ...(errno !== undefined && { errno: Math.abs(errno) }),
    cause,
  });
}

interface Way {
  /** Each directory that the way leads through, with the names in it that the way takes. */
  readonly directories: ReadonlyMap<string, Set<string>>;
  /** The file at the end, all links followed; null while there is none. */
  readonly file: string | null;
}

function wayTo(file: string): Way {
  const directories = new Map<string, Set<string>>();
  let directory = '/';
  const rest = file.split('/').filter(Boolean);
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift()!;
    if (name === '.' || name === '') continue;
    if (name === '..') {
      directory = path.dirname(directory);
      continue;
    }
    directories.set(directory, (directories.get(directory) ?? new Set()).add(name));
    const here = path.join(directory, name);
    try {
      if (lstatSync(here).isSymbolicLink()) {
        links += 1;
        if (links > MAX_SYMLINKS) return { directories, file: null };
        const target = readlinkSync(here);
        if (path.isAbsolute(target)) directory = '/';
        rest.unshift(...target.split('/'));
        continue;
      }
    } catch {
      return { directories, file: null };
    }
    directory = here;
  }
  return { directories, file: directory };
}
