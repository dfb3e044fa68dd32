/** Keys of `sqs`: the queue that tells of new objects. */
import { boolean, endpoint, integer, string } from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape } from '../../config/schema.ts';

export interface QueueConfig {
  queueUrl: string;
  region: string;
  /** undefined: that of the region. */
  endpoint: string | undefined;
  messagesMax: number;
  waitSeconds: number;
  deletesMessages: boolean;
}

export const queueShape = defineShape<QueueConfig>(
  {
    queueUrl: string('queue_url', {
      default: '',
      doc: 'URL of the queue that gets the event notifications of the bucket, directly or by way of SNS. The requests go to `region` or `endpoint`, whatever host is in it.',
    }),
    region: string('region', { default: '', doc: 'Region of the queue.' }),
    endpoint: endpoint('endpoint', {
      accepts: 'url',
      doc: 'URL of an SQS-compatible service, instead of the one of AWS.',
    }),
    messagesMax: integer('max_number_of_messages', {
      default: 10,
      doc: 'Messages that one request asks for, 1 to 10.',
    }),
    waitSeconds: integer('wait_time_seconds', {
      default: 20,
      doc: 'Seconds, 0 to 20, that the service waits for messages when there are none.',
    }),
    deletesMessages: boolean('delete_messages', {
      default: true,
      doc: 'Delete a message when all that it names is stored. When not, it comes back again and again, and so do the objects.',
    }),
  },
  checkQueue,
);

function checkQueue(config: QueueConfig): CheckIssue[] {
  const { queueUrl, region, messagesMax, waitSeconds } = config;
  const issues: CheckIssue[] = [];
  const add = (key: string, message: string) => issues.push({ key, message });
  if (queueUrl === '') add('queue_url', 'sqs.queue_url is required');
  else if (!/^https?:\/\/[^/]+\/./.test(queueUrl) || !URL.canParse(queueUrl))
    add(
      'queue_url',
      'must be the URL of a queue, such as https://sqs.eu-central-1.amazonaws.com/123456789012/new-objects',
    );
  if (region === '') add('region', 'sqs.region is required');
  if (waitSeconds < 0 || waitSeconds > 20)
    add('wait_time_seconds', 'sqs.wait_time_seconds must be between 0 and 20');
  if (messagesMax < 1 || messagesMax > 10)
    add('max_number_of_messages', 'sqs.max_number_of_messages must be between 1 and 10');
  if (!config.deletesMessages) {
    const message =
      'false: each message comes back after its visibility timeout, and its objects are stored again';
    issues.push({ key: 'delete_messages', message, isWarning: true });
  }
  return issues;
}
