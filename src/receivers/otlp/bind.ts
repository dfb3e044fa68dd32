/** Start errors of listeners, worded alike on every server. */
import { PipelineError } from '../../component/errors.ts';

/** `host:port` as the user would write it. */
export function printEndpoint(host: string | undefined, port: number): string {
  if (host === undefined) return `:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** START_FAILED that names the endpoint; the receiver adds its id. */
export function bindFailed(host: string | undefined, port: number, cause: unknown): PipelineError {
  const code =
    cause instanceof Error && 'code' in cause ? String(cause.code) : 'address in use or not available';
  return new PipelineError('START_FAILED', `cannot listen on ${printEndpoint(host, port)}: ${code}`, {
    permanent: true,
    cause,
  });
}
