/**
 * Messages of Jaeger and Zipkin behind protobufjs, from definitions of their own: the independent encoder and decoder of the
 * tests of src/encodings. Sources: jaegertracing/jaeger-idl proto/api_v2/model.proto, openzipkin/zipkin-api zipkin.proto.
 */
import protobuf from 'protobufjs';

const JAEGER = `
syntax = "proto3";
package jaeger;
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
enum ValueType { STRING = 0; BOOL = 1; INT64 = 2; FLOAT64 = 3; BINARY = 4; }
message KeyValue {
  string key = 1;
  ValueType v_type = 2;
  string v_str = 3;
  bool v_bool = 4;
  int64 v_int64 = 5;
  double v_float64 = 6;
  bytes v_binary = 7;
}
message Log { Timestamp timestamp = 1; repeated KeyValue fields = 2; }
enum SpanRefType { CHILD_OF = 0; FOLLOWS_FROM = 1; }
message SpanRef { bytes trace_id = 1; bytes span_id = 2; SpanRefType ref_type = 3; }
message Process { string service_name = 1; repeated KeyValue tags = 2; }
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  string operation_name = 3;
  repeated SpanRef references = 4;
  uint32 flags = 5;
  Timestamp start_time = 6;
  Duration duration = 7;
  repeated KeyValue tags = 8;
  repeated Log logs = 9;
  Process process = 10;
  string process_id = 11;
  repeated string warnings = 12;
}`;

const ZIPKIN = `
syntax = "proto3";
package zipkin;
message Span {
  bytes trace_id = 1;
  bytes parent_id = 2;
  bytes id = 3;
  enum Kind { SPAN_KIND_UNSPECIFIED = 0; CLIENT = 1; SERVER = 2; PRODUCER = 3; CONSUMER = 4; }
  Kind kind = 4;
  string name = 5;
  fixed64 timestamp = 6;
  uint64 duration = 7;
  Endpoint local_endpoint = 8;
  Endpoint remote_endpoint = 9;
  repeated Annotation annotations = 10;
  map<string, string> tags = 11;
  bool debug = 12;
  bool shared = 13;
}
message Endpoint { string service_name = 1; bytes ipv4 = 2; bytes ipv6 = 3; int32 port = 4; }
message Annotation { fixed64 timestamp = 1; string value = 2; }
message ListOfSpans { repeated Span spans = 1; }`;

const roots = [JAEGER, ZIPKIN].map((text) => protobuf.parse(text, { keepCase: true }).root.resolveAll());

/** @param name with its package: `jaeger.Span`, `zipkin.ListOfSpans`. */
export function foreignType(name: string): protobuf.Type {
  const root = roots.find((each) => each.nested?.[name.split('.')[0]!] !== undefined)!;
  return root.lookupType(name);
}
