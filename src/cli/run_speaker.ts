// Composes the speaker of a Kubernetes node: API client, keys, status, signals.
import { ApiClient } from '../kubernetes/api_client.js';
import { createLogger } from '../log.js';
import { createStatusServer } from '../status/server.js';
import { KeyWatch } from './key_watch.js';
import { Signals } from './signals.js';
import { SpeakerNode } from './speaker_node.js';
import { type SpeakerOptions, speakerSettings } from './speaker_settings.js';

/** Runs until SIGTERM or SIGINT, and then until everything is handed over; a second signal does not wait for that. */
export async function runSpeaker(options: SpeakerOptions): Promise<void> {
  const settings = speakerSettings(options);
  const { heartbeatKeyFile: keyFile, socket, listen } = settings;
  const log = await createLogger({ level: settings.logLevel });
  const keys = keyFile === null ? [] : KeyWatch.read(keyFile);
  const api = await ApiClient.connect({ kubeconfig: settings.kubeconfig, program: 'arpeggio-speaker', log });
  const namespace = settings.namespace ?? api.namespace;
  const node = new SpeakerNode({ settings, api, namespace, keys, log });
  const { process } = node;
  try {
    const handlers = { status: () => process.status(), health: () => process.health() };
    const status = await createStatusServer({ socket, listen, handlers, commands: process.commands });
    const watch =
      keyFile === null ? null : new KeyWatch({ file: keyFile, log, onKeys: (changed) => process.setKeys(changed) });
    const signals = new Signals(() => watch?.reload(), log);
    try {
      log.info(
        { node: settings.node, namespace, server: api.server, ...process.describe(), socket: status.socket },
        `the speaker of ${settings.node} starts`,
      );
      node.start();
      watch?.start();
      await signals.stopped;
    } finally {
      watch?.close();
      await node.stop(signals.hurry);
      await status.close();
      signals.close();
    }
  } finally {
    api.close();
    await node.close();
  }
  log.info('stopped');
}
