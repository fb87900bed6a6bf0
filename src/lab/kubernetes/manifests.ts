// deploy/base as an administrator applies it, with a heartbeat key made for this cluster.
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { ArpeggioError } from '../../errors.js';
import type { ControlPlane } from './control_plane.js';
import type { ApiObject } from './lab_api.js';

// Compiled, this file is four directories below the root.
const BASE = fileURLToPath(new URL('../../../../deploy/base', import.meta.url));
export const NAMESPACE = 'metallb-system';

export class Manifests {
  private constructor(
    /** Everything that kustomize makes of it, with names and namespaces as they are applied. */
    readonly objects: readonly ApiObject[],
    private readonly directory: string,
    private readonly control: ControlPlane,
  ) {}

  static async render(control: ControlPlane): Promise<Manifests> {
    const directory = join(control.directory, 'deploy');
    if (!existsSync(directory)) {
      cpSync(BASE, directory, { recursive: true });
      writeFileSync(join(directory, 'heartbeat.key'), `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    }
    const { stdout } = await control.kubectl('kustomize', directory);
    return new Manifests(
      parseAllDocuments(stdout).map((document) => document.toJS()),
      directory,
      control,
    );
  }

  /** kubectl apply, by the server and strictly. Resolves with what it said, warnings too. */
  async apply(): Promise<string> {
    const flags = ['--server-side', '--validate=strict', '--kustomize', this.directory];
    const { stdout, stderr } = await this.control.kubectl('apply', ...flags);
    return stdout + stderr;
  }

  find(kind: string, name: string): ApiObject {
    const found = this.objects.find((object) => object.kind === kind && object.metadata.name.startsWith(name));
    if (found === undefined) throw new ArpeggioError('ERR_SYSTEM', `deploy/base holds no ${kind} ${name}`);
    return found;
  }

  /** The contents of a Secret's entry. */
  secret(name: string, entry: string): Buffer {
    return Buffer.from(this.find('Secret', name).data[entry], 'base64');
  }
}
