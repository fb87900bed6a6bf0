import { existsSync, readFileSync } from 'node:fs';

/** A request as the API server's audit log tells it. */
export interface AuditEvent {
  readonly user: string;
  /** get, list, watch, create, update, patch, delete, deletecollection. */
  readonly verb: string;
  readonly group: string;
  /** With the subresource: "services/status". */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly status: number;
  readonly timeMs: number;
  readonly path: string;
}

/** Requests for resources, each once; a watch when it began. */
export function readAudit(path: string): AuditEvent[] {
  if (!existsSync(path)) return [];
  const events: AuditEvent[] = [];
  const seen = new Set<string>();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    // The last line may be half written.
    if (!line.endsWith('}')) continue;
    const entry = JSON.parse(line);
    // A watch is told when it begins and when it ends.
    if (entry.objectRef === undefined || seen.has(entry.auditID)) continue;
    seen.add(entry.auditID);
    const { resource, subresource, apiGroup = '', namespace = '', name = '' } = entry.objectRef;
    events.push({
      user: entry.user?.username ?? '',
      verb: entry.verb,
      group: apiGroup,
      resource: subresource === undefined ? resource : `${resource}/${subresource}`,
      namespace,
      name,
      status: entry.responseStatus?.code ?? 0,
      timeMs: Date.parse(entry.requestReceivedTimestamp),
      path: entry.requestURI,
    });
  }
  return events;
}
