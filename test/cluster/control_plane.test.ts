// The control plane of the tests is the real one: it authorizes, validates, audits, and comes back with what it stored.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabApi, LabApiError } from '../../src/lab/kubernetes/lab_api.js';
import { withControlPlane } from './harness/control_plane.js';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

const refusedWith = (status: number) => (error: unknown) => error instanceof LabApiError && error.status === status;

test('a control plane authorizes, validates, audits and survives its API server', async (t) => {
  await withControlPlane(t, {}, async (control) => {
    const { api } = control;
    const { gitVersion } = await api.get('/version');
    assert.match(gitVersion, /^v1\.36\./, 'clients see its version');

    // Service accounts may do what RBAC grants them, and nothing else.
    await api.create('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'robot' } });
    const robot = new LabApi(control.server, control.ca, await control.token('default', 'robot'));
    await assert.rejects(robot.list(CONFIG_MAPS), refusedWith(403));
    await api.applyYaml(
      `
      apiVersion: rbac.authorization.k8s.io/v1
      kind: Role
      metadata: { name: reader, namespace: default }
      rules: [{ apiGroups: [''], resources: [configmaps], verbs: [list] }]
      ---
      apiVersion: rbac.authorization.k8s.io/v1
      kind: RoleBinding
      metadata: { name: reader, namespace: default }
      roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader }
      subjects: [{ kind: ServiceAccount, name: robot, namespace: default }]
    `.replaceAll(/^ {6}/gm, ''),
    );
    await api.eventually('the role counts', async () => (await robot.list(CONFIG_MAPS)) !== null);
    await assert.rejects(robot.create(CONFIG_MAPS, { metadata: { name: 'mine' } }), refusedWith(403));
    const asked = control.audit().filter(({ user }) => user === 'system:serviceaccount:default:robot');
    assert.ok(
      asked.some(({ verb, resource, status }) => verb === 'list' && resource === 'configmaps' && status === 200),
    );
    assert.ok(asked.some(({ verb, status }) => verb === 'create' && status === 403));

    // What the schema does not know is refused.
    const misspelt = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'wrong' }, dat: { key: 'value' } };
    await assert.rejects(api.apply(misspelt), /dat/);
    const { stdout } = await control.kubectl('get', 'serviceaccounts', '--output', 'name');
    assert.match(stdout, /serviceaccount\/robot/);

    // Hanging, then gone, then back with what it stored, for the same certificate.
    await api.create(CONFIG_MAPS, { metadata: { name: 'kept' }, data: { key: 'value' } });
    control.pauseApi();
    const slow = api.get(`${CONFIG_MAPS}/kept`);
    control.resumeApi();
    assert.equal((await slow).data.key, 'value');
    await control.stopApi();
    await assert.rejects(api.list(CONFIG_MAPS), refusedWith(0));
    await control.startApi();
    assert.equal((await api.get(`${CONFIG_MAPS}/kept`)).data.key, 'value');
    await control.compact();
  });
});
