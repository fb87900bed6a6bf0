// Apart from the schema: who serves the status needs only the schema's types, not what checks them.

export const DEFAULT_STATUS_SOCKET = '/run/arpeggio/arpeggio.sock';

export const STATUS_PATH = '/api/v1/status';
