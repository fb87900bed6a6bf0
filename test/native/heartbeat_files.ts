import { addon, macBytes, type NativeHeartbeatEvent, type NativeHeartbeater } from '../../src/responder/addon.js';
import type { Advertisement, PacketType, PeerReport } from '../../src/responder/types.js';
import { bytesOf, HEARTBEAT_FILE, packetTypeOf, readJson } from './vector_files.js';

export type Report = Omit<PeerReport, 'interfaceName'>;

/** A frame, or a cause to send some, and what must become of it; test/vectors/README.md describes the form. */
export interface HeartbeatVector {
  readonly name: string;
  readonly source: string;
  readonly node?: string;
  readonly keys?: readonly string[];
  readonly packetType?: PacketType;
  readonly vlanTci?: number;
  readonly before?: readonly (readonly string[])[];
  readonly frame?: readonly string[];
  readonly advertise?: Advertisement;
  readonly message?: string;
  readonly expect: {
    readonly drop?: string;
    readonly ignored?: boolean;
    readonly peer?: Report;
    readonly message?: string;
    readonly sent?: readonly (readonly string[])[];
  };
}

interface HeartbeatFile {
  readonly receiver: {
    readonly node: string;
    readonly cluster: string;
    readonly incarnation: string;
    readonly intervalMs: number;
    readonly multiplier: number;
    readonly mac: string;
  };
  readonly vectors: readonly HeartbeatVector[];
}

export const { receiver, vectors } = readJson(HEARTBEAT_FILE) as HeartbeatFile;
export const PACKET_TYPES: readonly PacketType[] = ['host', 'broadcast', 'multicast', 'otherhost', 'outgoing'];
export const NOW_MS = 1000;
const SLOT = 0;

/** The vector's receiver on slot 0, which has heard the frames before. */
export function receiverOf(vector: HeartbeatVector): NativeHeartbeater {
  const heartbeater = new addon.NativeHeartbeater(
    { ...receiver, node: vector.node ?? receiver.node, keys: (vector.keys ?? []).map((key) => bytesOf(key)) },
    0,
  );
  heartbeater.open(SLOT, macBytes(receiver.mac), NOW_MS);
  for (const lines of vector.before ?? []) {
    const drop = give(heartbeater, vector, bytesOf(...lines));
    if (drop !== null) throw new Error(`a frame before "${vector.name}" is dropped: ${drop}`);
  }
  return heartbeater;
}

/** Hands a frame to the receiver as the vector says, and returns the drop reason. */
export function give(heartbeater: NativeHeartbeater, vector: HeartbeatVector, frame: Uint8Array): string | null {
  const type = vector.packetType ?? packetTypeOf(frame, receiver.mac);
  return heartbeater.frame(SLOT, frame, PACKET_TYPES.indexOf(type), vector.vlanTci ?? null, NOW_MS);
}

export function eventsOf<Type extends NativeHeartbeatEvent['type']>(
  events: readonly NativeHeartbeatEvent[],
  type: Type,
): Extract<NativeHeartbeatEvent, { type: Type }>[] {
  return events.filter((event): event is Extract<NativeHeartbeatEvent, { type: Type }> => event.type === type);
}
