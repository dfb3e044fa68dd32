/** `keepalive` of a gRPC server, with the Collector's keys. */
import { boolean, duration, section } from '../../config/field-kinds.ts';
import { defineShape, mapShape, type Shape } from '../../config/schema.ts';
import type { GrpcKeepaliveConfig } from './grpc-session.ts';

interface ServerParameters {
  maxConnectionIdleMs: number;
  maxConnectionAgeMs: number;
  maxConnectionAgeGraceMs: number;
  timeMs: number;
  timeoutMs: number;
}

interface EnforcementPolicy {
  minTimeMs: number;
  permitsWithoutStream: boolean;
}

interface KeepaliveKeys {
  server: ServerParameters;
  enforcement: EnforcementPolicy;
}

const serverShape = defineShape<ServerParameters>({
  maxConnectionIdleMs: duration('max_connection_idle', {
    default: '0s',
    doc: 'Close a connection without calls after this time; 0 means never.',
  }),
  maxConnectionAgeMs: duration('max_connection_age', {
    default: '30m',
    doc: 'Ask clients to reconnect after this time, give or take a tenth; 0 means never.',
  }),
  maxConnectionAgeGraceMs: duration('max_connection_age_grace', {
    default: '60s',
    doc: 'What calls still get after that; 0 means no limit.',
  }),
  timeMs: duration('time', { default: '2h', doc: 'Silence after which the server pings; 0 means never.' }),
  timeoutMs: duration('timeout', { default: '20s', min: 1, doc: 'Wait for the answer to a ping.' }),
});

const enforcementShape = defineShape<EnforcementPolicy>({
  minTimeMs: duration('min_time', {
    default: '10s',
    doc: 'Shortest time between two pings of a client; faster ones are disconnected.',
  }),
  permitsWithoutStream: boolean('permit_without_stream', {
    default: false,
    doc: 'Whether clients may ping without a call.',
  }),
});

export const keepaliveShape: Shape<GrpcKeepaliveConfig> = mapShape(
  defineShape<KeepaliveKeys>({
    server: section('server_parameters', serverShape, { doc: 'Life of a connection.' }),
    enforcement: section('enforcement_policy', enforcementShape, { doc: 'What clients may do.' }),
  }),
  ({ server, enforcement }) => ({
    connectionIdleMsMax: server.maxConnectionIdleMs || Infinity,
    connectionAgeMsMax: server.maxConnectionAgeMs || Infinity,
    connectionAgeGraceMs: server.maxConnectionAgeGraceMs || Infinity,
    timeMs: server.timeMs || Infinity,
    timeoutMs: server.timeoutMs,
    pingIntervalMsMin: enforcement.minTimeMs,
    isPingWithoutStreamAllowed: enforcement.permitsWithoutStream,
  }),
);
