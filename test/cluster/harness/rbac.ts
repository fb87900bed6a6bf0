// What deploy/base grants an account, and what the audit log says that it used: "verb group/resource in
// NAMESPACE".
import type { AuditEvent } from '../../../src/lab/kubernetes/audit.js';
import type { ApiObject } from '../../../src/lab/kubernetes/lab_api.js';
import type { Manifests } from '../../../src/lab/kubernetes/manifests.js';

const EVERYWHERE = 'all namespaces';

const permission = (verb: string, group: string, resource: string, where: string) =>
  `${verb} ${group === '' ? '' : `${group}/`}${resource} in ${where}`;

/** One permission for each verb, resource and scope. */
export function granted(manifests: Manifests, account: string): Set<string> {
  const found = new Set<string>();
  for (const binding of manifests.objects) {
    const subjects = binding.subjects ?? [];
    if (!subjects.some(({ kind, name }: ApiObject) => kind === 'ServiceAccount' && name === account)) continue;
    const role = manifests.find(binding.roleRef.kind, binding.roleRef.name);
    const where = binding.kind === 'ClusterRoleBinding' ? EVERYWHERE : binding.metadata.namespace;
    for (const { apiGroups, resources, verbs } of role.rules) {
      for (const group of apiGroups)
        for (const resource of resources) for (const verb of verbs) found.add(permission(verb, group, resource, where));
    }
  }
  return found;
}

/**
 * Which of these permissions the requests needed; a request that none of them covers is told as it was. For the whole cluster
 * counts only where a request went beyond `home`.
 */
export function used(permissions: ReadonlySet<string>, requests: readonly AuditEvent[], home: string): Set<string> {
  const found = new Set<string>();
  for (const { verb, group, resource, namespace } of requests) {
    const wide = permission(verb, group, resource, EVERYWHERE);
    found.add(namespace !== home && permissions.has(wide) ? wide : permission(verb, group, resource, namespace));
  }
  // What is asked in `home` too needs no permission of its own there.
  for (const wide of found) {
    if (wide.endsWith(EVERYWHERE)) found.delete(wide.replace(EVERYWHERE, home));
  }
  return found;
}
