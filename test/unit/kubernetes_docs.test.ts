// docs/kubernetes.md says what the programs take and tell, no more and no less.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { controllerCommand } from '../../src/cli/controller.js';
import { speakerCommand } from '../../src/cli/speaker.js';

const ROOT = new URL('../../../', import.meta.url);
const PAGE = readFileSync(new URL('docs/kubernetes.md', ROOT), 'utf8');

/** Flag and environment variable of each row of the table that begins with the command's name. */
function documented(command: string): string[] {
  const table = new RegExp(`^\\| \`arpeggio ${command}\` \\|.*\\n((?:\\|.*\\n)+)`, 'm').exec(PAGE)?.[1] ?? '';
  return [...table.matchAll(/^\| `(--[\w-]+)[^`]*` \| `(\w+)` \|/gm)].map(
    ([, flag, variable]) => `${flag} ${variable}`,
  );
}

const taken = (command: Command) => command.options.map(({ long, envVar }) => `${long} ${envVar}`);

/** Members of a union of texts in a file of types. */
function union(path: string, name: string): string[] {
  const text = readFileSync(new URL(path, ROOT), 'utf8');
  const body = new RegExp(`export type ${name} =([^;]*);`).exec(text)?.[1] ?? '';
  return [...body.matchAll(/'([\w-]+)'/g)].map((match) => match[1]!);
}

describe('docs/kubernetes.md', () => {
  for (const [name, command] of [
    ['speaker', speakerCommand()],
    ['controller', controllerCommand()],
  ] as const)
    it(`has the flags of arpeggio ${name}`, () => {
      assert.deepEqual(documented(name).sort(), taken(command).sort());
    });

  it('has every reason why a configuration is wrong, and why a service is not announced', () => {
    const reasons = [
      ...union('src/metallb/types.ts', 'ConfigurationReason'),
      ...union('src/eligibility/types.ts', 'RefusalCode'),
    ];
    assert.ok(reasons.length > 20, String(reasons.length));
    assert.deepEqual(
      reasons.filter((reason) => !PAGE.includes(`\`${reason}\``)),
      [],
    );
  });

  it('names files that there are', () => {
    for (const page of ['docs/kubernetes.md', 'docs/migrate-from-metallb.md', 'docs/allocation.md']) {
      const text = readFileSync(new URL(page, ROOT), 'utf8');
      const targets = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map((match) => match[1]!);
      assert.deepEqual(
        targets.filter((target) => !existsSync(new URL(target, new URL(page, ROOT)))),
        [],
        page,
      );
    }
  });
});
