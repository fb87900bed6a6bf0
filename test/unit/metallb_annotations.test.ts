import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serviceRequest } from '../../src/metallb/annotations.js';
import { service } from './metallb_sample.js';

const asking = (annotations: Record<string, string>, loadBalancerIP: string | null = null) =>
  serviceRequest(service('web', { annotations, loadBalancerIP }));

describe('what a service asks for', () => {
  it('is nothing unless it says so', () => {
    const nothing = { pool: null, addresses: null, both: false, sharingKey: '', warnings: [] };
    assert.deepEqual(asking({}), nothing);
    assert.deepEqual(asking({ 'metallb.io/address-pool': '', 'metallb.io/loadBalancerIPs': '' }, ''), nothing);
  });

  it('stands in annotations', () => {
    const { pool, addresses, sharingKey, warnings } = asking({
      'metallb.io/address-pool': 'front',
      'metallb.io/loadBalancerIPs': '192.0.2.1, 2001:db8::1',
      'metallb.io/allow-shared-ip': 'key',
    });
    assert.deepEqual([pool, addresses, sharingKey, warnings], ['front', ['192.0.2.1', '2001:db8::1'], 'key', []]);
  });

  it('may be one address in the spec, which no comma divides', () => {
    assert.deepEqual(asking({}, '192.0.2.1').addresses, ['192.0.2.1']);
    assert.deepEqual(asking({}, '192.0.2.1,192.0.2.2').addresses, ['192.0.2.1,192.0.2.2']);
  });

  it('must not be said in both places', () => {
    const { both, addresses } = asking({ 'metallb.io/loadBalancerIPs': '192.0.2.2' }, '192.0.2.1');
    assert.ok(both);
    assert.deepEqual(addresses, ['192.0.2.2']);
    assert.ok(!asking({ 'metallb.io/loadBalancerIPs': '192.0.2.2' }).both);
    assert.ok(!asking({}, '192.0.2.2').both);
  });

  it('is read under the old prefix, with a warning that names the new one', () => {
    const { pool, addresses, sharingKey, warnings } = asking({
      'metallb.universe.tf/address-pool': 'front',
      'metallb.universe.tf/loadBalancerIPs': '192.0.2.1',
      'metallb.universe.tf/allow-shared-ip': 'key',
    });
    assert.deepEqual([pool, addresses, sharingKey], ['front', ['192.0.2.1'], 'key']);
    assert.equal(warnings.length, 3);
    for (const warning of warnings)
      assert.match(warning, /metallb\.universe\.tf\/(\S+) is deprecated; use metallb\.io\/\1\./);
  });

  it('counts as the new prefix has it where both are there', () => {
    const { pool, warnings } = asking({ 'metallb.io/address-pool': 'new', 'metallb.universe.tf/address-pool': 'old' });
    assert.equal(pool, 'new');
    assert.match(warnings.join(), /ignored: metallb\.io\/address-pool says "new"/);
  });

  it('does not give an annotation of ours for a request', () => {
    assert.equal(asking({ 'metallb.io/ip-allocated-from-pool': 'front' }).pool, null);
  });
});
