import { ADDRESS_BYTES, type Address, addressFromBytes } from '../net/address.js';
import type { NativeEvent } from './addon.js';
import type { ResponderEvent } from './types.js';

function addressesFromBytes(bytes: Uint8Array): Address[] {
  return Array.from({ length: bytes.length / ADDRESS_BYTES }, (_, index) =>
    addressFromBytes(bytes.subarray(index * ADDRESS_BYTES, (index + 1) * ADDRESS_BYTES)),
  );
}

export function eventFromNative(event: NativeEvent): ResponderEvent {
  const { interfaceName, mac, text } = event;
  switch (event.type) {
    case 'message':
      return { type: event.type, interfaceName, node: text, incarnation: event.incarnation, body: event.body };
    case 'took': {
      const { number, incarnation, afterMs } = event;
      return {
        type: event.type,
        number,
        interfaceName,
        node: text,
        incarnation,
        addresses: addressesFromBytes(event.addresses),
        afterMs,
      };
    }
    case 'held':
      return { type: event.type, number: event.number, interfaceName, reason: event.text };
    case 'confirmed': {
      const { cause, number, clients, confirmed, final } = event;
      return { type: event.type, interfaceName, cause, number, clients, confirmed, final };
    }
    case 'heartbeat-refused':
      return { type: event.type, interfaceName, mac, refusal: event.refusal, count: event.count };
    case 'same-segment':
      return { type: event.type, interfaceName, otherInterfaceName: text };
    case 'name-in-use':
      return { type: event.type, interfaceName, mac, node: text };
    case 'rival':
      return { type: event.type, kind: event.kind, address: addressFromBytes(event.address), interfaceName, mac };
    case 'port-opened':
      return { type: event.type, interfaceName, mac };
    case 'port-closed':
      return { type: event.type, interfaceName, reason: event.text };
    case 'port-failed':
      return { type: event.type, interfaceName, error: text };
    case 'links-failed':
      return { type: event.type, error: text };
    case 'filter-fallback':
      return { type: event.type, reason: text };
    case 'table-expired':
      return { type: event.type };
  }
}
