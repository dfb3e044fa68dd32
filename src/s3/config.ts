/** Keys of everything that speaks to S3, in the Collector's spelling: for exporters, receivers and archive readers. */
import { boolean, count, duration, endpoint, oneOf, string } from '../config/field-kinds.ts';
import { type CheckIssue, defineShape, type Shape } from '../config/schema.ts';

export const RETRY_MODES = ['standard', 'adaptive', 'nop'] as const;
export type RetryMode = (typeof RETRY_MODES)[number];

export const CHECKSUM_CALCULATIONS = ['when_supported', 'when_required'] as const;
export type ChecksumCalculation = (typeof CHECKSUM_CALCULATIONS)[number];

/** Where the store is, who asks, and how often a request is repeated. Plain data. */
export interface S3ConnectionConfig {
  region: string;
  /** URL of an S3-compatible store; undefined: AWS. */
  endpoint: string | undefined;
  /** Role to assume with the credentials of the environment. */
  roleArn: string | undefined;
  externalId: string | undefined;
  forcesPathStyle: boolean;
  /** Without an endpoint, whose scheme says so itself: plain HTTP. */
  disablesSsl: boolean;
  retryMode: RetryMode;
  /** 0: no limit. */
  retryMaxAttempts: number;
  retryMaxBackoffMs: number;
  checksumCalculation: ChecksumCalculation;
}

export const RETRY_MAX_BACKOFF = '20s';
const RETRY_MAX_BACKOFF_MS = 20_000;

/** Use it by squash at the level that holds the keys: `s3uploader` of the exporter, `s3downloader` of the receiver. */
export const s3ConnectionShape: Shape<S3ConnectionConfig> = defineShape<S3ConnectionConfig>(
  {
    region: string('region', { default: 'us-east-1', doc: 'Region of the bucket.' }),
    endpoint: endpoint('endpoint', {
      accepts: 'url',
      doc: 'URL of an S3-compatible store, instead of the one of AWS.',
    }),
    roleArn: string('role_arn', {
      doc: 'Role to assume by STS. The credentials themselves come from the usual places of AWS: environment, shared files, container, instance.',
    }),
    externalId: string('external_id', { doc: 'External id for assuming the role.' }),
    forcesPathStyle: boolean('s3_force_path_style', {
      default: false,
      doc: 'Name the bucket in the path instead of the host name: most S3-compatible stores need it.',
    }),
    disablesSsl: boolean('disable_ssl', {
      default: false,
      doc: 'Plain HTTP; the scheme of `endpoint` wins.',
    }),
    retryMode: oneOf('retry_mode', {
      values: RETRY_MODES,
      default: 'standard',
      doc: 'How a request is repeated within one attempt; `nop` does not repeat it.',
    }),
    retryMaxAttempts: count('retry_max_attempts', {
      default: 3,
      doc: 'Requests within one attempt; 0 means no limit but `timeout`.',
    }),
    retryMaxBackoffMs: duration('retry_max_backoff', {
      default: RETRY_MAX_BACKOFF,
      doc: 'Longest wait between two of them.',
    }),
    checksumCalculation: oneOf('request_checksum_calculation', {
      values: CHECKSUM_CALCULATIONS,
      default: 'when_supported',
      doc: 'Older S3-compatible stores refuse the CRC32 that goes with each object: `when_required` leaves it out. The Collector has no such key.',
    }),
  },
  checkConnection,
);

function checkConnection(config: S3ConnectionConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (config.region === '') issues.push({ key: 'region', message: 'region is required' });
  if (config.externalId !== undefined && config.roleArn === undefined) {
    const message = 'has no effect without role_arn';
    issues.push({ key: 'external_id', message, isWarning: true });
  }
  if (config.retryMode === 'adaptive' && config.retryMaxBackoffMs !== RETRY_MAX_BACKOFF_MS) {
    const message = 'has no effect with retry_mode adaptive, which waits 20s at most';
    issues.push({ key: 'retry_max_backoff', message, isWarning: true });
  }
  return issues;
}
