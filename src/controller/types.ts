import type { ApiClient } from '../kubernetes/api_client.js';

/** What the controller asks of the API server. */
export type ControllerApi = Pick<ApiClient, 'get' | 'list' | 'watch' | 'create' | 'replace' | 'patch'>;
