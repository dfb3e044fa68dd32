/** Signs requests to services of AWS (Signature Version 4), apart from any SDK. */
import { createHash, createHmac } from 'node:crypto';

export interface AwsKeys {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface AwsRequest {
  keys: AwsKeys;
  region: string;
  /** As in credentials' scope: `s3`, `iam`, `sts`, `sqs`. */
  service: string;
  /** With its port. */
  host: string;
  method: string;
  /** Encoded. */
  path: string;
  /** Encoded, its parameters in order. */
  query: string;
  body: Uint8Array;
  headers: Readonly<Record<string, string>>;
}

/** The given headers and those that a signature asks for, names in lower case. */
export function signedHeaders(request: AwsRequest): Record<string, string> {
  const { keys, region, service, host, method, path, query, body } = request;
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const bodyHash = createHash('sha256').update(body).digest('hex');
  const headers: Record<string, string> = {
    ...Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    host,
    'x-amz-content-sha256': bodyHash,
    'x-amz-date': time,
  };
  const names = Object.keys(headers).sort();
  const signed = names.join(';');
  const lines = names.map((name) => `${name}:${headers[name]!.trim()}\n`).join('');
  const canonical = [method, path, query, lines, signed, bodyHash].join('\n');
  const canonicalHash = createHash('sha256').update(canonical).digest('hex');
  const toSign = ['AWS4-HMAC-SHA256', time, scope, canonicalHash].join('\n');
  const seed: Buffer = Buffer.from(`AWS4${keys.secretAccessKey}`);
  const key = scope
    .split('/')
    .reduce((secret, part) => createHmac('sha256', secret).update(part).digest(), seed);
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  const credential = `Credential=${keys.accessKeyId}/${scope}`;
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${signed}, Signature=${signature}`,
  };
}
