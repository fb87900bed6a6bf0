import type { Logger } from '../log.js';
import type { ResponderEvent } from '../responder/types.js';
import type { PortState } from './status_report.js';

/** What the packet thread tells of its ports and of itself. */
export type LinkEvent = Extract<
  ResponderEvent,
  {
    type:
      | 'port-opened'
      | 'port-closed'
      | 'port-failed'
      | 'links-failed'
      | 'filter-fallback'
      | 'table-expired'
      | 'events-lost';
  }
>;

/** The event as a line of the log. */
export function logLinkEvent(log: Logger, event: LinkEvent): void {
  switch (event.type) {
    case 'port-opened':
      log.info({ interface: event.interfaceName, mac: event.mac }, `${event.interfaceName} is open`);
      break;
    case 'port-closed':
      log.warn({ interface: event.interfaceName, reason: event.reason }, `${event.interfaceName} is not usable`);
      break;
    case 'port-failed':
      log.error({ interface: event.interfaceName, reason: event.error }, `${event.interfaceName} cannot be opened`);
      break;
    case 'links-failed':
      log.error({ reason: event.error }, 'the interfaces cannot be read; trying again at the next change');
      break;
    case 'filter-fallback':
      log.warn({ reason: event.reason }, 'the table does not fit the eBPF filter; the classic filter is in use');
      break;
    case 'table-expired':
      log.error('the control plane stood still; nothing was answered until now');
      break;
    case 'events-lost':
      log.warn({ count: event.count }, 'too many events; some conflicts may be noticed later');
      break;
  }
}

/** The state of the port that the event is about; null if it is about none. */
export function portAfter(event: LinkEvent): { interfaceName: string; state: PortState } | null {
  switch (event.type) {
    case 'port-opened':
      return { interfaceName: event.interfaceName, state: { state: 'open', reason: null } };
    case 'port-closed':
      return { interfaceName: event.interfaceName, state: { state: 'waiting', reason: event.reason } };
    case 'port-failed':
      return { interfaceName: event.interfaceName, state: { state: 'failed', reason: event.error } };
    default:
      return null;
  }
}
