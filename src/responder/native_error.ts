import { constants } from 'node:os';
import { ArpeggioError, type ErrorDetails } from '../errors.js';

const { EPERM, EACCES, ENODEV, ENXIO } = constants.errno;

/** Gives an error of the addon its class, its stable code and a sentence that says what to do. */
export function translateNativeError(error: unknown): unknown {
  if (!(error instanceof Error) || !('errno' in error) || !('syscall' in error)) return error;
  const { errno, syscall, interfaceName } = error as Error & {
    errno: number;
    syscall: string;
    interfaceName?: string;
  };
  const details: ErrorDetails = { errno, syscall, cause: error, ...(interfaceName && { interfaceName }) };
  const where = interfaceName ? ` on ${interfaceName}` : '';
  if (syscall === 'socket' && (errno === EPERM || errno === EACCES)) {
    return new ArpeggioError(
      'ERR_NO_CAP_NET_RAW',
      `opening a packet socket${where} needs the capability CAP_NET_RAW: run as root, or grant it ` +
        '(systemd: AmbientCapabilities=CAP_NET_RAW; container: add NET_RAW)',
      details,
    );
  }
  if (errno === ENODEV || errno === ENXIO) {
    return new ArpeggioError(
      'ERR_NO_SUCH_INTERFACE',
      `there is no interface ${interfaceName ?? ''}`.trimEnd(),
      details,
    );
  }
  return new ArpeggioError('ERR_SYSTEM', `${error.message}${where}`, details);
}
