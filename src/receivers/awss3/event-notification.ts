/**
 * What a message of a queue tells of a bucket: an event notification of S3, alone or within a notification of SNS.
 * Source: "Event message structure" of the S3 user guide, "Amazon SNS message formats" of the SNS developer guide.
 */

/** Where new objects are wanted from. */
export interface WantedObjects {
  bucket: string;
  /** Beginning of keys. */
  prefix: string;
}

export interface NotifiedObject {
  key: string;
  /** As the event says; 0 when it does not. */
  sizeBytes: number;
}

/** Why a record names nothing to read. */
export const LEFT_OUT_REASONS = ['other_event', 'other_bucket', 'other_prefix'] as const;
export type LeftOutReason = (typeof LEFT_OUT_REASONS)[number];

export interface BucketEvents {
  kind: 'events';
  /** In the order of their records. */
  objects: NotifiedObject[];
  leftOut: Readonly<Record<LeftOutReason, number>>;
}

/** `test`: what S3 sends when notifications are set up. `malformed`: nothing that is known here. */
export type Notification = BucketEvents | { kind: 'test' } | { kind: 'malformed'; reason: string };

type Json = Readonly<Record<string, unknown>>;

/** Does not throw, whatever the text is. */
export function parseNotification(body: string, wanted: WantedObjects): Notification {
  const outer = parseMap(body);
  if (outer === undefined) return malformed('no JSON object');
  if (outer.Type !== 'Notification') return parseEvents(outer, wanted);
  if (typeof outer.Message !== 'string') return malformed('a notification of SNS without a message');
  const inner = parseMap(outer.Message);
  if (inner === undefined) return malformed('a notification of SNS whose message is no JSON object');
  return parseEvents(inner, wanted);
}

function parseEvents(event: Json, wanted: WantedObjects): Notification {
  if (event.Event === 's3:TestEvent') return { kind: 'test' };
  if (!Array.isArray(event.Records) || event.Records.length === 0)
    return malformed('neither an event notification of S3 nor one of SNS');
  const objects: NotifiedObject[] = [];
  const leftOut = { other_event: 0, other_bucket: 0, other_prefix: 0 };
  for (const record of event.Records as unknown[]) {
    const found = readRecord(mapOf(record), wanted);
    if (found === undefined)
      return malformed('a record without the name of a bucket and the key of an object');
    if (typeof found === 'string') leftOut[found]++;
    else objects.push(found);
  }
  return { kind: 'events', objects, leftOut };
}

/** undefined: it cannot be told what it is about. */
function readRecord(record: Json, wanted: WantedObjects): NotifiedObject | LeftOutReason | undefined {
  const { eventName } = record;
  if (typeof eventName !== 'string') return undefined;
  if (record.eventSource !== 'aws:s3' || !eventName.startsWith('ObjectCreated:')) return 'other_event';
  const s3 = mapOf(record.s3);
  const { name } = mapOf(s3.bucket);
  const { key, size } = mapOf(s3.object);
  if (typeof name !== 'string' || typeof key !== 'string' || key === '') return undefined;
  if (name !== wanted.bucket) return 'other_bucket';
  const decoded = decodeKey(key);
  if (!decoded.startsWith(wanted.prefix)) return 'other_prefix';
  return { key: decoded, sizeBytes: Number.isSafeInteger(size) ? Math.max(size as number, 0) : 0 };
}

/** Keys in events are written as in the query of a URL. One that is not is taken as it is, as in the Collector. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key;
  }
}

function parseMap(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** Empty for what is no map, so that a look-up finds nothing. */
function mapOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function malformed(reason: string): Notification {
  return { kind: 'malformed', reason };
}
