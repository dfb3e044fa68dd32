/** What a refusal of an S3 store, or of a queue of SQS, means. No refusal is about the items of a batch, so none of them drops data. */
import { PipelineError } from '../component/errors.ts';

/** What the AWS client throws, as far as it is looked at. */
interface ServiceError {
  name: string;
  message: string;
  code?: string;
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $response?: { headers?: Record<string, string> };
}

const CREDENTIALS: ReadonlySet<string> = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'AccessDenied',
  'AllAccessDisabled',
  'AccountProblem',
  'NotSignedUp',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'CredentialsProviderError',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'AccessDeniedException',
  'KmsAccessDenied',
  // versitygw's word for a key that it does not know.
  'XAdminUserNotFound',
]);
const CLOCK: ReadonlySet<string> = new Set([
  'RequestTimeTooSkewed',
  'RequestExpired',
  'RequestInTheFuture',
  'InvalidSignatureException',
]);
const ADDRESS: ReadonlySet<string> = new Set([
  'NoSuchBucket',
  'PermanentRedirect',
  'TemporaryRedirect',
  'AuthorizationHeaderMalformed',
  'InvalidBucketName',
]);
const QUEUE: ReadonlySet<string> = new Set([
  'QueueDoesNotExist',
  'AWS.SimpleQueueService.NonExistentQueue',
  'QueueDeletedRecently',
  'InvalidAddress',
]);
const HELP = {
  credentials: 'the credentials are not accepted; the data is kept until they are',
  clock:
    'the clock of this machine and that of the store differ by too much; the data is kept until they agree',
  address: 'the bucket is not there under this region and endpoint; the data is kept until it is',
  queue: 'the queue is not there under this URL, region and endpoint; it is asked for again until it is',
  other: 'the request is refused; the data is kept until the configuration or the store changes',
} as const;

/** Of these codes a store says itself that asking again helps. */
const PASSING: ReadonlySet<string> = new Set([
  'SlowDown',
  'Throttling',
  'RequestTimeout',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
  'ConditionalRequestConflict',
  'NoSuchUpload',
  'BadDigest',
  'IncompleteBody',
  'TooManyRequestsException',
  'ThrottlingException',
  'RequestThrottled',
  'KmsThrottled',
  'OverLimit',
]);

/** Less is allowed than is sent; the last two are MinIO's. */
const THROTTLING: ReadonlySet<string> = new Set([
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'BandwidthLimitExceeded',
  'TooManyRequests',
  'TooManyRequestsException',
  'SlowDownRead',
  'SlowDownWrite',
]);

/** Without the text of a remote, that may be long and hold line ends. */
const TEXT_MAX = 300;

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error;
}

function statusOf(error: ServiceError): number {
  return error.$metadata?.httpStatusCode ?? 0;
}

/** The object is there already: the answer to a conditional write. */
export function isAlreadyThere(error: unknown): boolean {
  return isServiceError(error) && (error.name === 'PreconditionFailed' || statusOf(error) === 412);
}

export function isNotFound(error: unknown): boolean {
  return isServiceError(error) && (['NotFound', 'NoSuchKey'].includes(error.name) || statusOf(error) === 404);
}

/**
 * @param what was tried, e.g. `put s3://bucket/key`; part of the message.
 * @returns EXPORT_TIMEOUT, EXPORT_UNAVAILABLE for what may pass by itself, EXPORT_REJECTED for what somebody has to
 * change. All are retryable: whoever asked again after the change would be served.
 */
export function s3Error(what: string, error: unknown): PipelineError {
  if (error instanceof PipelineError) return error;
  if (!isServiceError(error)) {
    return new PipelineError('EXPORT_UNAVAILABLE', `${what}: ${String(error)}`, { permanent: false });
  }
  const { name } = error;
  const options = { permanent: false, cause: error };
  if (name === 'AbortError' || name === 'TimeoutError')
    return new PipelineError('EXPORT_TIMEOUT', `${what}: no answer in time`, options);
  const status = statusOf(error);
  const text = `${what}: ${describe(error, status)}`;
  const help = helpFor(name, status);
  if (help !== undefined) return new PipelineError('EXPORT_REJECTED', `${text}: ${HELP[help]}`, options);
  const retryAfterMs = retryAfter(error);
  return new PipelineError('EXPORT_UNAVAILABLE', text, {
    ...options,
    isThrottled: THROTTLING.has(name) || status === 429 || (status === 503 && retryAfterMs !== undefined),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function helpFor(name: string, status: number): keyof typeof HELP | undefined {
  if (CLOCK.has(name)) return 'clock';
  if (CREDENTIALS.has(name)) return 'credentials';
  if (ADDRESS.has(name)) return 'address';
  if (QUEUE.has(name)) return 'queue';
  if (PASSING.has(name) || status === 408 || status === 429 || status < 300 || status >= 500)
    return undefined;
  if (status === 401 || status === 403) return 'credentials';
  return 'other';
}

function describe(error: ServiceError, status: number): string {
  // Connection errors may be lists of one error an address, with an empty message of their own.
  const causes = error instanceof AggregateError ? (error.errors as ServiceError[]) : [];
  const message = error.message || causes[0]?.message || error.code || error.name;
  const label = error.name === 'Error' || error.name === 'AggregateError' ? '' : `${error.name}: `;
  const plain = `${label}${message}`.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, TEXT_MAX);
  return status === 0 ? plain : `${plain} (HTTP ${status})`;
}

function retryAfter(error: ServiceError): number | undefined {
  const text = error.$response?.headers?.['retry-after'];
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) * 1000 : undefined;
}
