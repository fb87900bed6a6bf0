import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { speakerSettings } from '../../src/cli/speaker_settings.js';

const refusal = (options: Parameters<typeof speakerSettings>[0]) => {
  try {
    speakerSettings({ nodeName: 'host-a', ...options });
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
  return null;
};

describe('settings of arpeggio speaker', () => {
  it('has a default for everything but the name of the node', () => {
    assert.deepEqual(speakerSettings({ nodeName: 'host-a' }), {
      node: 'host-a',
      namespace: null,
      lbClass: null,
      ignoreExcludeLB: false,
      drainOnCordon: true,
      takeover: 'fast',
      probing: 'fast',
      interfaces: null,
      heartbeatKeyFile: null,
      cluster: 'arpeggio',
      stateDir: '/var/lib/arpeggio',
      socket: '/run/arpeggio/arpeggio.sock',
      listen: null,
      kubeconfig: null,
      logLevel: process.env.LOG_LEVEL || 'info',
    });
    assert.match(refusal({ nodeName: ' ' })!, /^ERR_INVALID_ARGUMENT --node-name is missing.*METALLB_NODE_NAME/);
  });

  it('takes what is empty for not given, as unset variables in manifests are', () => {
    const { namespace, lbClass, drainOnCordon, listen } = speakerSettings({
      nodeName: 'host-a',
      namespace: '',
      lbClass: '',
      drainOnCordon: '',
      listen: '',
    });
    assert.deepEqual([namespace, lbClass, drainOnCordon, listen], [null, null, true, null]);
  });

  it('reads the words of MetalLB', () => {
    const read = (options: object) => speakerSettings({ nodeName: 'host-a', ...options });
    assert.equal(read({ logLevel: 'all' }).logLevel, 'trace');
    assert.equal(read({ logLevel: 'none' }).logLevel, 'silent');
    assert.equal(read({ ignoreExcludeLb: true }).ignoreExcludeLB, true);
    assert.equal(read({ ignoreExcludeLb: 'false' }).ignoreExcludeLB, false);
    assert.equal(read({ drainOnCordon: 'False' }).drainOnCordon, false);
    assert.deepEqual(read({ interfaces: 'eth0, eth1' }).interfaces, ['eth0', 'eth1']);
    assert.deepEqual(read({ listen: '127.0.0.1:7472' }).listen, { host: '127.0.0.1', port: 7472 });
  });

  it('says which flag is wrong', () => {
    assert.match(refusal({ nodeName: 'Host_A' })!, /^ERR_INVALID_ARGUMENT --node-name: "Host_A" is no name of a Node/);
    assert.match(refusal({ drainOnCordon: 'maybe' })!, /^ERR_INVALID_ARGUMENT --drain-on-cordon: "maybe"/);
    assert.match(refusal({ probing: 'slow' })!, /--probing: "slow" is none of fast, rfc5227, none$/);
    assert.match(refusal({ takeover: 'slow' })!, /--takeover: "slow"/);
    assert.equal(refusal({ takeover: 'fast' }), null);
    assert.equal(refusal({ takeover: 'fenced' }), null);
    assert.match(refusal({ interfaces: 'eth0,,eth1' })!, /--interfaces/);
    assert.match(refusal({ interfaces: 'eth0,eth0' })!, /--interfaces/);
    const many = Array.from({ length: 65 }, (_, index) => `eth0.${index}`).join();
    assert.match(refusal({ interfaces: many })!, /--interfaces: names 65 interfaces; one node can use 64 at most/);
    assert.match(refusal({ listen: '0.0.0.0:7472' })!, /loopback/);
    assert.match(refusal({ logLevel: 'loud' })!, /log level/);
  });
});
