/** What the exporter shows of `fullRequest`, checked by eye against the Collector's layout. */
import type { Signal } from '../../component/signal.ts';

export const EXPECTED: Record<Signal, { normal: string; detailed: string }> = {
  traces: {
    normal: `Traces	{"resource spans": 1, "spans": 1}
ResourceTraces #0 [schema] key=value int=9223372036854775807 double=1.5 flag=true bytes=AQID empty= list=["",2] map={"a":false,"z":""}
ScopeTraces #0 library@1.0 [scope-schema] key=value int=9223372036854775807 double=1.5 flag=true bytes=AQID empty= list=["",2] map={"a":false,"z":""}
span 0102030405060708090a0b0c0d0e0f10 1112131415161718 key=value int=9223372036854775807 double=1.5 flag=true bytes=AQID empty= list=["",2] map={"a":false,"z":""}
`,
    detailed: `Traces	{"resource spans": 1, "spans": 1}
ResourceSpans #0
Resource SchemaURL: schema
Resource attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
ScopeSpans #0
ScopeSpans SchemaURL: scope-schema
InstrumentationScope library 1.0
InstrumentationScope attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
Span #0
    Trace ID       : 0102030405060708090a0b0c0d0e0f10
    Parent ID      : 1112131415161718
    ID             : 1112131415161718
    Name           : span
    Kind           : Server
    TraceState     : ot=th:0
    Start time     : 2020-02-11 20:26:12.000000321 +0000 UTC
    End time       : 2020-02-11 20:26:13.000000789 +0000 UTC
    Status code    : Error
    Status message : failed
    DroppedAttributesCount: 0
    DroppedEventsCount: 1
    DroppedLinksCount: 0
Attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
Events:
SpanEvent #0
     -> Name: event
     -> Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
     -> DroppedAttributesCount: 2
     -> Attributes::
          -> key: Str(value)
          -> int: Int(9223372036854775807)
          -> double: Double(1.5)
          -> flag: Bool(true)
          -> bytes: Bytes(AQID)
          -> empty: Empty()
          -> list: Slice(["",2])
          -> map: Map({"a":false,"z":""})
Links:
SpanLink #0
     -> Trace ID: 0102030405060708090a0b0c0d0e0f10
     -> ID: 1112131415161718
     -> TraceState: 
     -> DroppedAttributesCount: 0
     -> Attributes::
          -> key: Str(value)
          -> int: Int(9223372036854775807)
          -> double: Double(1.5)
          -> flag: Bool(true)
          -> bytes: Bytes(AQID)
          -> empty: Empty()
          -> list: Slice(["",2])
          -> map: Map({"a":false,"z":""})
`,
  },
  logs: {
    normal: `Logs	{"resource logs": 1, "log records": 1}
ResourceLog #0 [schema] key=value int=9223372036854775807 double=1.5 flag=true bytes=AQID empty= list=["",2] map={"a":false,"z":""}
ScopeLog #0 library@1.0 [scope-schema] key=value int=9223372036854775807 double=1.5 flag=true bytes=AQID empty= list=["",2] map={"a":false,"z":""}
body key=value int=9223372036854775807 double=1.5 flag=true bytes=AQID empty= list=["",2] map={"a":false,"z":""}
`,
    detailed: `Logs	{"resource logs": 1, "log records": 1}
ResourceLog #0
Resource SchemaURL: schema
Resource attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
ScopeLogs #0
ScopeLogs SchemaURL: scope-schema
InstrumentationScope library 1.0
InstrumentationScope attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
LogRecord #0
ObservedTimestamp: 1970-01-01 00:00:00 +0000 UTC
Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
SeverityText: INFO
SeverityNumber: Info2(10)
EventName: event
Body: Str(body)
Attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
Trace ID: 0102030405060708090a0b0c0d0e0f10
Span ID: 1112131415161718
Flags: 1
`,
  },
  metrics: {
    normal: `Metrics	{"resource metrics": 1, "metrics": 5, "data points": 6}
ResourceMetrics #0 [schema] key=value int=9223372036854775807 double=1.5 flag=true bytes=AQID empty= list=["",2] map={"a":false,"z":""}
ScopeMetrics #0 library@1.0 [scope-schema] key=value int=9223372036854775807 double=1.5 flag=true bytes=AQID empty= list=["",2] map={"a":false,"z":""}
metric{key=value,int=9223372036854775807,double=1.5,flag=true,bytes=AQID,empty=,list=["",2],map={"a":false,"z":""}} 123
metric{key=value,int=9223372036854775807,double=1.5,flag=true,bytes=AQID,empty=,list=["",2],map={"a":false,"z":""}} 1e-05
metric{key=value,int=9223372036854775807,double=1.5,flag=true,bytes=AQID,empty=,list=["",2],map={"a":false,"z":""}} 123
metric{key=value,int=9223372036854775807,double=1.5,flag=true,bytes=AQID,empty=,list=["",2],map={"a":false,"z":""}} count=3 sum=4.5 min=1 max=2 le1=1 2
metric{key=value,int=9223372036854775807,double=1.5,flag=true,bytes=AQID,empty=,list=["",2],map={"a":false,"z":""}} count=5
metric{key=value,int=9223372036854775807,double=1.5,flag=true,bytes=AQID,empty=,list=["",2],map={"a":false,"z":""}} count=2 sum=5.000000 q0.5=2.5
`,
    detailed: `Metrics	{"resource metrics": 1, "metrics": 5, "data points": 6}
ResourceMetrics #0
Resource SchemaURL: schema
Resource attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
ScopeMetrics #0
ScopeMetrics SchemaURL: scope-schema
InstrumentationScope library 1.0
InstrumentationScope attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
Metric #0
Descriptor:
     -> Name: metric
     -> Description: 
     -> Unit: 1
     -> DataType: Gauge
     -> Metadata:
          -> key: Str(value)
          -> int: Int(9223372036854775807)
          -> double: Double(1.5)
          -> flag: Bool(true)
          -> bytes: Bytes(AQID)
          -> empty: Empty()
          -> list: Slice(["",2])
          -> map: Map({"a":false,"z":""})
NumberDataPoints #0
Data point attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
StartTimestamp: 2020-02-11 20:26:12.000000321 +0000 UTC
Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
Value: 123
Exemplars:
Exemplar #0
     -> Trace ID: 0102030405060708090a0b0c0d0e0f10
     -> Span ID: 1112131415161718
     -> Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
     -> Value: 7
     -> FilteredAttributes:
          -> key: Str(value)
          -> int: Int(9223372036854775807)
          -> double: Double(1.5)
          -> flag: Bool(true)
          -> bytes: Bytes(AQID)
          -> empty: Empty()
          -> list: Slice(["",2])
          -> map: Map({"a":false,"z":""})
NumberDataPoints #1
Data point attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
StartTimestamp: 2020-02-11 20:26:12.000000321 +0000 UTC
Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
Value: 0.000010
Metric #1
Descriptor:
     -> Name: metric
     -> Description: 
     -> Unit: 1
     -> DataType: Sum
     -> IsMonotonic: true
     -> AggregationTemporality: Cumulative
NumberDataPoints #0
Data point attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
StartTimestamp: 2020-02-11 20:26:12.000000321 +0000 UTC
Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
Value: 123
Exemplars:
Exemplar #0
     -> Trace ID: 0102030405060708090a0b0c0d0e0f10
     -> Span ID: 1112131415161718
     -> Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
     -> Value: 7
     -> FilteredAttributes:
          -> key: Str(value)
          -> int: Int(9223372036854775807)
          -> double: Double(1.5)
          -> flag: Bool(true)
          -> bytes: Bytes(AQID)
          -> empty: Empty()
          -> list: Slice(["",2])
          -> map: Map({"a":false,"z":""})
Metric #2
Descriptor:
     -> Name: metric
     -> Description: 
     -> Unit: 1
     -> DataType: Histogram
     -> AggregationTemporality: Delta
HistogramDataPoints #0
Data point attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
StartTimestamp: 2020-02-11 20:26:12.000000321 +0000 UTC
Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
Count: 3
Sum: 4.500000
Min: 1.000000
Max: 2.000000
ExplicitBounds #0: 1.000000
Buckets #0, Count: 1
Buckets #1, Count: 2
Metric #3
Descriptor:
     -> Name: metric
     -> Description: 
     -> Unit: 1
     -> DataType: ExponentialHistogram
     -> AggregationTemporality: Cumulative
ExponentialHistogramDataPoints #0
Data point attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
StartTimestamp: 2020-02-11 20:26:12.000000321 +0000 UTC
Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
Count: 5
Bucket [-2.000000, -1.414214), Count: 1
Bucket [-1.414214, -1.000000), Count: 1
Bucket [0, 0], Count: 1
Bucket (1.000000, 1.414214], Count: 1
Bucket (1.414214, 2.000000], Count: 1
Metric #4
Descriptor:
     -> Name: metric
     -> Description: 
     -> Unit: 1
     -> DataType: Summary
SummaryDataPoints #0
Data point attributes:
     -> key: Str(value)
     -> int: Int(9223372036854775807)
     -> double: Double(1.5)
     -> flag: Bool(true)
     -> bytes: Bytes(AQID)
     -> empty: Empty()
     -> list: Slice(["",2])
     -> map: Map({"a":false,"z":""})
StartTimestamp: 2020-02-11 20:26:12.000000321 +0000 UTC
Timestamp: 2020-02-11 20:26:13.000000789 +0000 UTC
Count: 2
Sum: 5.000000
QuantileValue #0: Quantile 0.500000, Value 2.500000
`,
  },
};
