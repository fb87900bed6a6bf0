/** Stable codes of every error that Arpeggio raises on purpose. Scripts may match on them; the sentences may change. */
export type ErrorCode =
  | 'ERR_NO_CAP_NET_RAW'
  | 'ERR_NO_CAP_NET_ADMIN'
  | 'ERR_NO_SUCH_INTERFACE'
  | 'ERR_RESPONDER_CLOSED'
  | 'ERR_SYSTEM'
  | 'ERR_ADDON_MISSING'
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_CONFIG'
  | 'ERR_STATUS_UNREACHABLE'
  | 'ERR_ALREADY_RUNNING'
  | 'ERR_REFUSED'
  | 'ERR_TOOL_MISSING'
  | 'ERR_KUBECONFIG'
  | 'ERR_API';

export interface ErrorDetails {
  /** errno value as the kernel returned it (positive), where a system call failed. */
  errno?: number;
  /** The system call that failed, such as "socket". */
  syscall?: string;
  /** The interface it was about. */
  interfaceName?: string;
  cause?: unknown;
}

/** An error with a stable code and a message that says what to do. */
export class ArpeggioError extends Error {
  override readonly name: string = 'ArpeggioError';
  readonly code: ErrorCode;
  readonly errno: number | null;
  readonly syscall: string | null;
  readonly interfaceName: string | null;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.errno = details.errno ?? null;
    this.syscall = details.syscall ?? null;
    this.interfaceName = details.interfaceName ?? null;
  }
}
