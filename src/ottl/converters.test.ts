/** What converters make of their arguments; each line is a condition that holds, or one that has no answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileCondition } from './condition.ts';
import { answer, pairs } from './ottl.test-peer.ts';

const PLACE = {
  span: {
    start_time_unix_nano: '1709210096123456789',
    attributes: pairs({
      text: 'aé€',
      int: 12,
      twelve: '12x',
      float: 1.5,
      bool: true,
      list: [3, 1, 2],
      mixed: ['b', 2, true],
      map: { b: 'x y', a: 1 },
      bytes: Uint8Array.of(1, 171),
      deep: { list: [1, { k: null }] },
      json: '{"a":1,"b":[true,null,"x"]}',
    }),
    events: [{}, {}],
  },
};

function assertHolds(texts: readonly string[]): void {
  for (const text of texts) assert.equal(answer(text, PLACE), true, text);
}

function assertFails(cases: readonly (readonly [string, RegExp])[]): void {
  for (const [text, pattern] of cases) assert.match(String(answer(text, PLACE)), pattern, text);
}

function issueOf(text: string): string {
  try {
    compileCondition(text, { context: 'span' });
    return 'no issue';
  } catch (error) {
    return (error as Error).message;
  }
}

test('conversions and what nil and wrong types do to them', () => {
  assertHolds([
    ...[
      'String(12) == "12"',
      'String(1.5) == "1.5"',
      'String(true) == "true"',
      'String(attributes["none"]) == nil',
    ],
    ...[
      'String(attributes["map"]) == "{\\"a\\":1,\\"b\\":\\"x y\\"}"',
      'String(attributes["bytes"]) == "01ab"',
      'String([1, "a"]) == "[1,\\"a\\"]"',
    ],
    ...[
      'Int("12") == 12',
      'Int("12x") == nil',
      'Int(1.9) == 1',
      'Int(-1.9) == -1',
      'Int(true) == 1',
      'Int(nil) == nil',
      'Int("1.5") == nil',
    ],
    ...[
      'Double("1.5") == 1.5',
      'Double(12) == 12.0',
      'Double(false) == 0.0',
      'Double("1e3") == 1000.0',
      'Double(nil) == nil',
    ],
    ...[
      'Bool("t") == true',
      'Bool("FALSE") == false',
      'Bool(0) == false',
      'Bool(0.5) == true',
      'Bool(nil) == nil',
    ],
    ...[
      'Hex(12) == "000000000000000c"',
      'Hex("az") == "617a"',
      'Hex(true) == "01"',
      'Hex(1.0) == "3ff0000000000000"',
      'Hex(nil) == ""',
    ],
    ...[
      'ParseInt("ff", 16) == 255',
      'ParseInt("0x1F", 0) == 31',
      'ParseInt("-077", 0) == -63',
      'ParseInt("1_000", 0) == 1000',
    ],
    ...['SpanID("0102030405060708") == SpanID(0x0102030405060708)', 'span_id == SpanID(0x0202020202020202)'],
    ...['Log(1) == 0.0', 'Log("2.718281828459045") == 1.0', 'Len(UUID()) == 36', 'UUID() != UUID()'],
  ]);
  assertFails([
    ['Double(attributes["twelve"]) == 1', /^error: "12x" is no number/],
    ['Bool(attributes["twelve"]) == true', /^error: "12x" is neither/],
    ['Int(attributes["map"]) == 1', /^error: expected what an int can be made of, got map/],
    ['ParseInt("zz", 10) == 1', /^error: "zz" is no int in base 10/],
    ['Log(0) == 1', /^error: only numbers above 0/],
    ['Log(attributes["none"]) == 1', /^error: only numbers above 0/],
    ['HasPrefix(attributes["none"], "a")', /^error: expected string, got nil/],
  ]);
  // What a literal can never be is told at start.
  assert.match(issueOf('Double("12x") == 1'), /Double: target: "12x" is no number/);
  assert.match(issueOf('TraceID("00") == trace_id'), /an id has 16 bytes or 32 hexadecimal digits/);
});

test('texts', () => {
  assertHolds([
    ...[
      'Concat([attributes["none"], "x"], "-") == "<nil>-x"',
      'Concat([1, 1.5, true, [1]], ",") == "1,1.5,true,[1]"',
      'Concat([], ",") == ""',
    ],
    ...['Split("a,b,", ",")[2] == ""', 'Len(Split("", ",")) == 1', 'Split("aé", "")[1] == "é"'],
    ...[
      'Substring("hello", 1, 3) == "ell"',
      'Substring(attributes["text"], 0, 2, true) == "a"',
      'Substring("é€", 2, 3) == "€"',
    ],
    ...[
      'ConvertCase("someName", "snake") == "some_name"',
      'ConvertCase("some_name", "camel") == "SomeName"',
      'ConvertCase("äB", "upper") == "ÄB"',
    ],
    ...[
      'ToSnakeCase("HTTPServerID42") == "http_server_id_42"',
      'ToCamelCase("my-metric.v2x") == "MyMetricV2X"',
      'ToLowerCase("ÄB") == "äb"',
    ],
    ...[
      'Trim("  a ") == "a"',
      'Trim("xyax", "xy") == "a"',
      'TrimPrefix("abc", "ab") == "c"',
      'TrimSuffix("abc", "x") == "abc"',
    ],
    ...['HasPrefix("abc", "ab")', 'HasSuffix("abc", "bc")', 'not HasPrefix("abc", "b")'],
    ...['Len("aé€") == 6', 'Index("aé€", "€") == 3', 'Index("abc", "x") == -1'],
  ]);
  assertFails(
    [
      ['Substring("abc", -1, 1) == "a"', /there are no 1 bytes from -1/],
      ['Substring("abc", 1, 0) == "a"', /there are no 0 bytes/],
      ['Substring("abc", 2, 2) == "a"', /there are no 2 bytes from 2 on in a text of 3/],
      ['ToLowerCase(5) == "5"', /expected string, got int/],
    ].map(([text, pattern]) => [
      String(text).replace('ToLowerCase(5)', 'ToLowerCase(attributes["int"])'),
      pattern as RegExp,
    ]),
  );
  assert.match(issueOf('ToLowerCase(5) == "5"'), /ToLowerCase: target: expected string, got int/);
  assert.match(issueOf('ConvertCase("a", "kebab") == "a"'), /no case "kebab"/);
});

test('Format follows Go, and a verb that does not fit shows', () => {
  const cases: [string, string][] = [
    ['"%s-%d-%v", ["a", 5, nil]', 'a-5-<nil>'],
    ['"%05d|%5d|%-5d|%+d", [42, 42, 42, 42]', '00042|   42|42   |+42'],
    ['"%.2f|%f|%6.1f|%.0f", [1.005, 1.5, 2.25, 2.5]', '1.00|1.500000|   2.2|2'],
    ['"%t %q %x %X", [true, "a\\"b", "az", 255]', 'true "a\\"b" 617a FF'],
    ['"%d", ["x"]', '%!d(string=x)'],
    ['"%s", [5]', '%!s(int64=5)'],
    ['"%d %d", [1]', '1 %!d(MISSING)'],
    ['"%d", [1, 2]', '1%!(EXTRA int64=2)'],
    ['"100%%", []', '100%'],
    ['"%*d|%-*d|%.*f", [5, 1, 3, 2, 1, 2.55]', '    1|2  |2.5'],
    ['"%*d|%.*f|%c|%.500e", [-3, 1, -1, 2.5, -7, 1.0]', `1  |2.500000|\ufffd|1.${'0'.repeat(99)}e+00`],
    ['"%*d", [2000000, 1]', '%!(BADWIDTH)%!(EXTRA int64=1)'],
    ['"%v %v %v %g", [1.5, 0.00001, 1e21, 1.25]', '1.5 1e-05 1e+21 1.25'],
    ['"%e|%b|%o|%#x|%6s|%.1s", [1234.5, 5, 8, 255, "ab", "xy"]', '1.234500e+03|101|10|0xff|    ab|x'],
  ];
  for (const [call, wanted] of cases) {
    const text = `Format(${call.replace('1e21', '1.0e21')}) == ${JSON.stringify(wanted)}`;
    assert.equal(answer(text, PLACE), true, text);
  }
});

test('maps and lists', () => {
  assertHolds([
    ...[
      'Len(attributes["list"]) == 3',
      'Len(attributes["map"]) == 2',
      'Len(events) == 2',
      'Len(attributes["bytes"]) == 2',
    ],
    ...['Keys(attributes["map"]) == ["b", "a"]', 'Values(attributes["map"]) == ["x y", 1]'],
    ...[
      'Sort(attributes["list"]) == [1, 2, 3]',
      'Sort(attributes["list"], "desc") == [3, 2, 1]',
      'Sort([2, 1.5]) == [1.5, 2]',
    ],
    ...['Sort(attributes["mixed"]) == [2, "b", true]', 'Sort([]) == []'],
    ...[
      'ContainsValue(attributes["list"], 2)',
      'ContainsValue(attributes["list"], 2.0)',
      'not ContainsValue(attributes["list"], "2")',
    ],
    ...['Index(attributes["list"], 2) == 2', 'Index(attributes["list"], 9) == -1'],
    ...[
      'SliceToMap([{"n": "a", "v": 1}], ["n"], ["v"])["a"] == 1',
      'SliceToMap(attributes["list"])["1"] == 1',
    ],
    ...['Coalesce([attributes["none"], nil, 5]) == 5', 'Coalesce([nil]) == nil'],
    ...[
      'ToKeyValueString(attributes["map"], sort_output=true) == "a=1 b=\\"x y\\""',
      'ToKeyValueString(attributes["map"], ":", ",") == "b:x y,a:1"',
    ],
    ...[
      'IsMap({}) and IsList([]) and not IsMap(nil)',
      'IsEmpty(attributes["none"]) and IsEmpty("") and IsEmpty({}) and not IsEmpty("a")',
    ],
    'attributes["deep"]["list"][1]["k"] == nil',
  ]);
  assertFails([
    ['Len(attributes["int"]) == 1', /int has no length/],
    ['Keys(attributes["list"])[0] == 1', /expected map, got list/],
    ['attributes["deep"]["list"]["x"] == 1', /a list is indexed by an int, not by string/],
    ['attributes["int"]["x"] == 1', /int cannot be indexed/],
    ['Keys(attributes["map"])[5] == 1', /index 5 is out of bounds/],
    ['SliceToMap(attributes["list"], ["a"]) == {}', /element 0 is no map/],
  ]);
  assert.match(issueOf('ToKeyValueString(attributes, "=", "=") == ""'), /the two delimiters must differ/);
  assert.match(issueOf('Sort(attributes["list"], "up") == []'), /order is "asc" or "desc"/);
  assert.match(issueOf('Coalesce([]) == 1'), /needs at least one value/);
});

test('texts with a structure', () => {
  assertHolds([
    ...[
      'ParseJSON("{\\"a\\":1}")["a"] == 1',
      'ParseJSON(attributes["json"])["b"][2] == "x"',
      'IsDouble(ParseJSON("[1]")[0])',
    ],
    ...[
      'ParseKeyValue("a=1 b=\\"x y\\" c=")["b"] == "x y"',
      'ParseKeyValue("a:1;b:2", ":", ";")["b"] == "2"',
    ],
    ...[
      'ParseCSV("1,\\"2,3\\"", "a,b")["b"] == "2,3"',
      'ParseCSV("1|2", "a,b", "|", ",")["a"] == "1"',
      'ParseCSV("a\\"b", "x", mode="lazyQuotes")["x"] == "a\\"b"',
    ],
    ...[
      'ParseCSV("\\"1,2", "a,b", mode="ignoreQuotes")["a"] == "\\"1"',
      'ParseCSV("\\"a\\"\\"b\\"", "x")["x"] == "a\\"b"',
    ],
    ...[
      'ExtractPatterns("k=v", "(?P<key>\\\\w+)=(?P<value>\\\\w+)")["value"] == "v"',
      'ExtractPatterns("none", "(?P<d>\\\\d)") == {}',
    ],
    ...[
      'URL("https://u:p@h:80/a/b.gz?q=1#f")["url.port"] == 80',
      'URL("/rel?x")["url.path"] == "/rel"',
      'URL("http://h/%C3%A9")["url.path"] == "/é"',
    ],
    ...[
      'IsInCIDR("10.1.2.3", ["10.0.0.0/8"])',
      'IsInCIDR("2001:db8::1", ["2001:db8::/32"])',
      'not IsInCIDR("x", ["10.0.0.0/8"])',
    ],
    ...['IsValidLuhn("4539 1488 0343 6467")', 'not IsValidLuhn("79927398714")', 'IsValidLuhn(79927398713)'],
  ]);
  assertFails([
    ['ParseJSON("5") == 5', /JSON of neither a map nor a list/],
    ['ParseJSON("{") == 5', /the text is no JSON/],
    ['ParseKeyValue("a=1 b") == {}', /"b" has no "="/],
    ['ParseKeyValue("") == {}', /there is nothing to read pairs from/],
    ['ParseCSV("1", "a,b") == {}', /1 fields do not go with 2 headers/],
    ['ExtractPatterns("none", "(?P<d>\\\\d)")["d"] == "1"', /there is no key "d"/],
    ['URL("a:b:c/d") == {}', /.*/],
  ]);
  assert.match(issueOf('ExtractPatterns("a", "(a)") == {}'), /the pattern needs a group with a name/);
  assert.match(issueOf('IsInCIDR("10.0.0.1", ["10.0.0.0/33"])'), /"10.0.0.0\/33" is no CIDR network/);
});

test('digests and encodings', () => {
  assertHolds([
    'MD5("a") == "0cc175b9c0f1b6a831c399e269772661"',
    'SHA1("a") == "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"',
    'SHA256("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"',
    'HasPrefix(SHA512("a"), "1f40fc92da241694750979ee6cf582f2")',
    'FNV("a") == -5808556873153909620 and FNV("") == -3750763034362895579',
    'Murmur3Hash("Hello World") == "ce837619" and Murmur3Hash("") == "00000000"',
    'Base64Encode("a?b>") == "YT9iPg==" and Base64Encode("a?b>", "base64-raw-url") == "YT9iPg"',
    'Decode("YT9iPg==", "base64") == "a?b>" and Decode("YT9iPg", "base64-raw") == "a?b>"',
    'Decode(0xe9, "iso-8859-1") == "é" and Base64Decode("YQ==") == "a"',
  ]);
  // From the specification of the Community ID.
  assertHolds([
    'CommunityID("128.232.110.120", 34855, "66.35.250.204", 80) == "1:LQU9qZlK+B5F3KDmev6m5PMibrg="',
    'CommunityID("66.35.250.204", 80, "128.232.110.120", 34855, "TCP") == "1:LQU9qZlK+B5F3KDmev6m5PMibrg="',
    'CommunityID("128.232.110.120", 34855, "66.35.250.204", 80, seed=1) == "1:3V71V58M3Ksw/yuFALMcW0LAHvc="',
    'ParseSeverity("err", {"error": [{"equals": ["err"]}]}) == "error" and ParseSeverity(404, {"warn": [{"range": "4xx"}]}) == "warn"',
    'Len(UUIDv7()) == 36 and Substring(UUIDv7(), 14, 1) == "7"',
  ]);
  assert.match(
    issueOf('ParseSeverity("a", {"x": [{"range": "9xx"}]}) == "x"'),
    /"range" has a min and a max/,
  );
  assertFails([['ParseSeverity(attributes["float"], {"x": []}) == "x"', /float is no severity/]]);
  assertFails([['Decode("YT9iPg", "base64") == ""', /the text is not in this form of base64/]]);
  assert.match(issueOf('Decode("a", "klingon") == ""'), /unknown encoding "klingon"/);
});

test('times and durations', () => {
  assertHolds([
    'Year(start_time) == 2024 and Month(start_time) == 2 and Day(start_time) == 29',
    'Hour(start_time) == 12 and Minute(start_time) == 34 and Second(start_time) == 56 and Nanosecond(start_time) == 123456789 and Weekday(start_time) == 4',
    'UnixSeconds(start_time) == 1709210096 and UnixMilli(start_time) == 1709210096123 and UnixMicro(start_time) == 1709210096123456',
    'UnixNano(start_time) == start_time_unix_nano and UnixSeconds(Unix(-1, -1)) == -2',
    'FormatTime(start_time, "%Y-%m-%dT%H:%M:%S.%f%z") == "2024-02-29T12:34:56.123456Z"',
    'FormatTime(start_time, "%a %A %b %B %e %y %l %p %j %%") == "Thu Thursday Feb February 29 24 12 PM +00:00 %"',
    'Time("2024-02-29 07:34:56", "%Y-%m-%d %H:%M:%S", "America/New_York") == Unix(1709210096)',
    'Time("2024-02-29T12:34:56.5+01:00", "%Y-%m-%dT%H:%M:%S.%L%j") == Unix(1709206496, 500000000)',
    'Hour(Time("Feb 29 2024 03:04 pm", "%b %d %Y %I:%M %P")) == 15',
    'TruncateTime(start_time, Duration("1h")) == Unix(1709208000) and TruncateTime(start_time, Duration("0s")) == start_time',
    'Duration("1h30m") == Duration("90m") and Duration("-1.5ms") == Duration("-1500us") and Duration("0") == Duration("0s")',
    'Hours(Duration("90m")) == 1.5 and Seconds(Duration("1500ms")) == 1.5 and Milliseconds(Duration("1.9s")) == 1900',
    'Nanoseconds(Duration("1us")) == 1000 and Microseconds(Duration("-1ms")) == -1000',
    'Now() > start_time',
  ]);
  assertFails([
    ['Time("2024-02-30", "%F") == Unix(0)', /is no time of this format/],
    ['Duration("1") == Duration("1s")', /"1" is no duration/],
    ['Year(attributes["int"]) == 1', /expected time, got int/],
  ]);
  assert.match(issueOf('Time("x", "%Q") == Unix(0)'), /there is no time directive "%Q"/);
  assert.match(issueOf('Time("x", "%Y", "Mars/Olympus") == Unix(0)'), /unknown time zone "Mars\/Olympus"/);
});
