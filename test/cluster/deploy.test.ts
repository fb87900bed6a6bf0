// deploy/base is what a cluster takes: applied by kubectl with the server's strict validation, its pods pass admission.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabApi, LabApiError } from '../../src/lab/kubernetes/lab_api.js';
import { Manifests, NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { withControlPlane } from './harness/control_plane.js';

const SPEAKER = `system:serviceaccount:${NAMESPACE}:arpeggio-speaker`;

test('deploy/base can be applied, again too, and its pods are admitted', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    const { api } = control;
    const manifests = await Manifests.render(control);
    const said = await manifests.apply();
    for (const { kind, metadata } of manifests.objects) {
      assert.match(said, new RegExp(`/${metadata.name} serverside-applied`), `${kind} ${metadata.name} was applied`);
    }
    assert.doesNotMatch(said, /[Ww]arning/);
    const again = await manifests.apply();
    assert.doesNotMatch(again, /[Ww]arning/);

    // As the controllers of DaemonSets and Deployments would make them: Pod Security and priority classes have a word.
    for (const kind of ['DaemonSet', 'Deployment']) {
      const { metadata, spec } = manifests.find(kind, 'arpeggio');
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...spec.template.metadata, name: metadata.name },
        spec: spec.template.spec,
      };
      const made = await api.create(`/api/v1/namespaces/${NAMESPACE}/pods?fieldValidation=Strict`, pod);
      assert.ok(made.spec.priority > 1_000_000_000, `${kind} has a high priority`);
      const [{ securityContext }] = made.spec.containers;
      assert.deepEqual(securityContext.capabilities.drop, ['ALL']);
      assert.equal(securityContext.readOnlyRootFilesystem, true);
      assert.equal(securityContext.allowPrivilegeEscalation, false);
    }
    // Without the host's network and NET_RAW the controller needs no privileges at all: any namespace would take it.
    await api.create('/api/v1/namespaces', {
      metadata: { name: 'strict', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    });
    const controller = manifests.find('Deployment', 'arpeggio-controller').spec.template.spec;
    await api.create('/api/v1/namespaces/strict/serviceaccounts', {
      metadata: { name: controller.serviceAccountName },
    });
    await api.create('/api/v1/namespaces/strict/pods', { metadata: { name: 'controller' }, spec: controller });

    // The accounts may do what they need, and not more.
    const speaker = new LabApi(control.server, control.ca, await control.token(NAMESPACE, 'arpeggio-speaker'));
    await speaker.list('/api/v1/services');
    const pools = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools`;
    await speaker.eventually('pools can be listed', () => speaker.list(pools));
    const refused = (error: unknown) => error instanceof LabApiError && error.status === 403;
    await assert.rejects(speaker.list('/api/v1/secrets'), refused);
    await assert.rejects(speaker.list('/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'), refused);
    await assert.rejects(speaker.patch('/api/v1/namespaces/default/services/kubernetes', {}), refused);
    assert.ok(control.audit().some(({ user, status }) => user === SPEAKER && status === 403));
  });
});
