/** What errors of the Kafka client mean, told by their class and by the error types of the protocol. */
import { PipelineError } from '../component/errors.ts';

/**
 * - `credentials`: refused until somebody changes a configuration, here or there; the data is not to blame.
 * - `refused`: these bytes will be refused again.
 * - `passing`: the same may work later.
 */
export type KafkaErrorKind = 'credentials' | 'refused' | 'passing';

export interface KafkaProblem {
  kind: KafkaErrorKind;
  /** Of the Kafka protocol, e.g. `NOT_LEADER_FOR_PARTITION`; undefined for errors of the connection. */
  type: string | undefined;
  message: string;
}

/** Wait between two attempts that only a changed configuration can help. */
const CREDENTIALS_RETRY_MS = 60_000;

const CREDENTIAL_TYPES: ReadonlySet<string> = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'ILLEGAL_SASL_STATE',
  'SASL_AUTHENTICATION_FAILED',
  'SECURITY_DISABLED',
  'TOPIC_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
]);

const REFUSED_TYPES: ReadonlySet<string> = new Set([
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'MESSAGE_TOO_LARGE',
  'POLICY_VIOLATION',
  'RECORD_LIST_TOO_LARGE',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
]);

/** Errors of TLS that no second try heals, by the codes of node:tls. */
const CERTIFICATE_CODES = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/;

interface ClientErrorParts {
  name?: unknown;
  type?: unknown;
  code?: unknown;
  broker?: unknown;
  cause?: unknown;
}

/** Sees through the wrappers in which the client puts the error of its last retry. */
export function readKafkaError(error: unknown): KafkaProblem {
  const inner = innermost(error);
  const { name, type, code, broker } = (inner ?? {}) as ClientErrorParts;
  const typeText = typeof type === 'string' ? type : undefined;
  const where = typeof broker === 'string' ? ` (broker ${broker})` : '';
  const message = `${inner instanceof Error ? inner.message : String(inner)}${where}`;
  if (
    name === 'KafkaJSSASLAuthenticationError' ||
    (typeText !== undefined && CREDENTIAL_TYPES.has(typeText))
  ) {
    return { kind: 'credentials', type: typeText, message };
  }
  if (typeof code === 'string' && CERTIFICATE_CODES.test(code)) {
    return { kind: 'credentials', type: undefined, message };
  }
  const kind = typeText !== undefined && REFUSED_TYPES.has(typeText) ? 'refused' : 'passing';
  return { kind, type: typeText, message };
}

/**
 * @param peer for the message, e.g. the brokers' addresses or a topic.
 * @returns retryable unless the bytes themselves are refused: credentials and certificates may be put right while the
 * data waits, so those are tried again once a minute.
 */
export function kafkaError(error: unknown, peer: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const { kind, type, message } = readKafkaError(error);
  const what = type === undefined ? message : `${message} [${type}]`;
  switch (kind) {
    case 'refused':
      return new PipelineError('EXPORT_REJECTED', `${peer}: ${what}`, { permanent: true, cause: error });
    case 'credentials':
      return new PipelineError(
        'EXPORT_UNAVAILABLE',
        `${peer}: refused until credentials, permissions or certificates are changed: ${what}`,
        { permanent: false, retryAfterMs: CREDENTIALS_RETRY_MS, cause: error },
      );
    case 'passing':
      return new PipelineError('EXPORT_UNAVAILABLE', `${peer}: ${what}`, {
        permanent: false,
        // Other quotas refuse nothing: brokers say how long they will not listen, and the client waits.
        isThrottled: type === 'THROTTLING_QUOTA_EXCEEDED',
        cause: error,
      });
  }
}

function innermost(error: unknown): unknown {
  let inner = error;
  // A wrapper around itself would have no end.
  for (let depth = 0; depth < 8; depth++) {
    const { name, cause } = (inner ?? {}) as ClientErrorParts;
    const isWrapper = name === 'KafkaJSNumberOfRetriesExceeded' || name === 'KafkaJSNonRetriableError';
    if (!isWrapper || cause === undefined || cause === null) break;
    inner = cause;
  }
  return inner ?? error;
}
