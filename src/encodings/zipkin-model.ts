/** A Zipkin v2 span between the wire and OTLP, and what both directions know of its tags. */
import { decodeHex } from '../otlp/json-bytes.ts';
import { encodingFailed } from './guard.ts';

/** Its kinds by the numbers of zipkin.proto; 0 for none. */
export const ZIPKIN_KINDS = ['', 'CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'] as const;

export interface ZipkinEndpoint {
  serviceName: string;
  /** As text; empty for none. */
  ipv4: string;
  ipv6: string;
  port: number;
}

export interface ZipkinAnnotation {
  /** Microseconds since the epoch. */
  micros: number;
  value: string;
}

export interface ZipkinSpan {
  /** 16 and 8 bytes. */
  traceId: Uint8Array;
  id: Uint8Array;
  /** Undefined for a root. */
  parentId: Uint8Array | undefined;
  name: string;
  kind: (typeof ZIPKIN_KINDS)[number];
  /** Undefined when the span says nothing of it, which differs from 0. */
  startMicros: number | undefined;
  durationMicros: number;
  localEndpoint: ZipkinEndpoint | undefined;
  remoteEndpoint: ZipkinEndpoint | undefined;
  annotations: ZipkinAnnotation[];
  tags: Map<string, string>;
}

export const TRACE_ID_BYTES = 16;
export const SPAN_ID_BYTES = 8;
/** Stands for a service without a name, which Zipkin cannot say. */
export const NO_SERVICE_NAME = 'OTLPResourceNoServiceName';
/** Tag: the resource attribute that gave the service's name when it was not service.name. */
export const TAG_SERVICE_NAME_SOURCE = 'otlp.service.name.source';
/** Attribute of spans without a time. */
export const START_TIME_ABSENT = 'otel.zipkin.absentField.startTime';
/** Links are tags: this and their number. */
export const TAG_LINK_PREFIX = 'otlp.link.';
export const LINKS_MAX = 128;

/** Tags about the scope rather than the span. */
export const SCOPE_TAGS = [
  'otel.library.name',
  'otel.library.version',
  'otel.scope.name',
  'otel.scope.version',
] as const;

/** Tags about what runs the service rather than the span, by the semantic conventions. */
export const RESOURCE_TAGS: ReadonlySet<string> = new Set([
  ...'cloud.provider cloud.account.id cloud.region cloud.availability_zone cloud.platform'.split(' '),
  ...'cloud.resource_id aws.ecs.container.arn aws.ecs.cluster.arn aws.ecs.launchtype aws.ecs.task.arn'.split(
    ' ',
  ),
  ...'aws.ecs.task.family aws.ecs.task.revision aws.eks.cluster.arn aws.log.group.names aws.log.group.arns'.split(
    ' ',
  ),
  ...'aws.log.stream.names aws.log.stream.arns container.name container.id container.runtime'.split(' '),
  ...'container.image.name container.image.tag deployment.environment device.id device.model.identifier'.split(
    ' ',
  ),
  ...'device.model.name device.manufacturer faas.name faas.id faas.version faas.instance faas.max_memory'.split(
    ' ',
  ),
  ...'host.id host.name host.type host.arch host.image.name host.image.id host.image.version'.split(' '),
  ...'k8s.cluster.name k8s.node.name k8s.node.uid k8s.namespace.name k8s.pod.uid k8s.pod.name'.split(' '),
  ...'k8s.container.name k8s.container.restart_count k8s.replicaset.uid k8s.replicaset.name'.split(' '),
  ...'k8s.deployment.uid k8s.deployment.name k8s.statefulset.uid k8s.statefulset.name k8s.daemonset.uid'.split(
    ' ',
  ),
  ...'k8s.daemonset.name k8s.job.uid k8s.job.name k8s.cronjob.uid k8s.cronjob.name os.type'.split(' '),
  ...'os.description os.name os.version process.pid process.executable.name process.executable.path'.split(
    ' ',
  ),
  ...'process.command process.command_line process.command_args process.owner process.runtime.name'.split(
    ' ',
  ),
  ...'process.runtime.version process.runtime.description service.name service.namespace'.split(' '),
  ...'service.instance.id service.version telemetry.sdk.name telemetry.sdk.language'.split(' '),
  ...'telemetry.sdk.version telemetry.auto.version webengine.name webengine.version'.split(' '),
  ...'webengine.description opencensus.starttime opencensus.exporterversion opencensus.resourcetype'.split(
    ' ',
  ),
]);

/** An id of up to so many bytes, from hexadecimal digits; zeros go in front of a short one. */
export function parseHexId(text: string, sizeBytes: number): Uint8Array {
  const id = new Uint8Array(sizeBytes);
  const digits = text.length % 2 === 0 ? text : `0${text}`;
  const ascii = Uint8Array.from(digits, (digit) => Math.min(digit.charCodeAt(0), 0xff));
  const offset = sizeBytes - ascii.length / 2;
  if (ascii.length === 0 || offset < 0 || decodeHex(ascii, 0, ascii.length, id, offset) < 0) {
    throw encodingFailed(`"${text.slice(0, 64)}" is no id of up to ${sizeBytes} bytes`);
  }
  return id;
}

export function isZeroId(id: Uint8Array): boolean {
  return id.every((byte) => byte === 0);
}

/** The id of the span that it hangs on; a span is never its own parent. */
export function parentOf(span: Pick<ZipkinSpan, 'id' | 'parentId'>): Uint8Array | undefined {
  const { id, parentId } = span;
  if (parentId === undefined || isZeroId(parentId)) return undefined;
  return parentId.every((byte, at) => byte === id[at]) ? undefined : parentId;
}
