import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findInsertHead, insertFromFile, killByTag, parseStatement, withQueryTag } from './statement.ts';
import { StoreError, toStoreError } from './store-error.ts';

function rowsOfInsert(text: string): string {
  const head = findInsertHead(text, true);
  assert.ok(typeof head === 'object', text);
  return text.slice(head.dataAt);
}

test('rows begin behind the format name and one line break', () => {
  const cases: [string, string][] = [
    ['INSERT INTO t FORMAT CSV\n1,2\n', '1,2\n'],
    ['INSERT INTO t FORMAT CSV \t\r\n\n1', '\n1'],
    ['insert into `a b`.t (x, `format`) format Native', ''],
    ['/* c */ INSERT INTO TABLE db.format (values) SETTINGS async_insert=1 FORMAT TSV;\nx', 'x'],
    ['INSERT INTO t VALUES (1)', ' (1)'],
    ["INSERT INTO FUNCTION file('x', 'CSV') VALUES(1)", '(1)'],
    ['INSERT INTO t -- FORMAT CSV\n(a) FORMAT JSONEachRow {"a":1}', '{"a":1}'],
    ['INSERT INTO t (* EXCEPT(b)) FORMAT RowBinary\n\n\n', '\n\n'],
  ];
  for (const [text, rows] of cases) assert.equal(rowsOfInsert(text), rows, text);
});

test('statements without rows are no inserts with rows', () => {
  for (const text of [
    'SELECT 1 FORMAT CSV',
    'INSERT INTO t SELECT 1 FORMAT CSV',
    'INSERT INTO t (a) (SELECT 1)',
    'INSERT INTO t WITH 1 AS x SELECT x',
    "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
    'INSERT INTO t',
    '',
    '-- INSERT INTO t FORMAT CSV',
  ]) {
    assert.equal(findInsertHead(text, true), 'none', text);
  }
});

test('a head cut anywhere asks for more and is found in the end', () => {
  const text = 'INSERT INTO `a\\`b`."c""d" /* FORMAT x */ (e) SETTINGS f = \'FORMAT g\' FORMAT CSV \n1,2';
  const whole = findInsertHead(text, true);
  const dataAt = text.length - 3;
  assert.ok(typeof whole === 'object' && whole.dataAt === dataAt);
  for (let length = 0; length < dataAt; length += 1) {
    assert.equal(findInsertHead(text.slice(0, length), false), 'more', text.slice(0, length));
  }
  for (let length = dataAt; length <= text.length; length += 1) {
    assert.deepEqual(findInsertHead(text.slice(0, length), false), whole);
  }
});

test('the statement over a file keeps columns and settings', () => {
  const text = 'INSERT INTO t (a, b) SETTINGS x = 1 FORMAT Native';
  const head = findInsertHead(text, true);
  assert.ok(typeof head === 'object');
  assert.equal(
    insertFromFile(text, head, "/tmp/it's", 'gzip').replace(/\s+/g, ' '),
    "INSERT INTO t (a, b) FROM INFILE '/tmp/it\\'s' COMPRESSION 'gzip' SETTINGS x = 1 FORMAT Native",
  );
});

test('the format clause of a query is told from columns of that name', () => {
  const cases: [string, string | undefined][] = [
    ['SELECT 1 FORMAT CSV', 'CSV'],
    ['SELECT 1 FORMAT JSONEachRow SETTINGS max_threads = 1', 'JSONEachRow'],
    ['SELECT 1 FORMAT CSV; -- end', 'CSV'],
    ['SELECT format FROM t', undefined],
    ["SELECT format('{}', 1), ' FORMAT CSV'", undefined],
    ['SELECT (SELECT 1 AS format) AS x', undefined],
    ['SHOW TABLES', undefined],
  ];
  for (const [text, format] of cases) assert.equal(parseStatement(text).format, format, text);
});

test('one statement at a time, and its verb', () => {
  assert.equal(parseStatement(' (SELECT 1) UNION ALL SELECT 2;').verb, 'SELECT');
  assert.equal(parseStatement(' (SELECT 1) UNION ALL SELECT 2;').sql, ' (SELECT 1) UNION ALL SELECT 2');
  assert.equal(parseStatement("SELECT ';' -- ; SELECT 2").sql, "SELECT ';' -- ; SELECT 2");
  assert.equal(parseStatement('CREATE TEMPORARY TABLE t (a UInt8)').changesSession, true);
  assert.equal(parseStatement('SELECT temporary FROM t').changesSession, true);
  assert.equal(parseStatement('CREATE TABLE t (a UInt8) ENGINE = Memory').changesSession, false);
  const throwsCode = (code: number) => (error: unknown) => error instanceof StoreError && error.code === code;
  assert.throws(() => parseStatement('SELECT 1; SELECT 2'), throwsCode(62));
  assert.throws(() => parseStatement(' ; '), throwsCode(62));
  assert.throws(() => parseStatement("SELECT 1 INTO /**/ OUTFILE 'x'"), throwsCode(358));
  assert.throws(() => parseStatement("INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV"), throwsCode(62));
});

test('ids become a comment that KILL QUERY looks for', () => {
  assert.equal(withQueryTag('SELECT 1', 'a-1'), 'SELECT 1\n/*id:a-1*/');
  assert.equal(withQueryTag('SELECT 1', '*/ DROP TABLE t /*'), 'SELECT 1');
  const kill = killByTag("KILL QUERY WHERE query_id = 'query_id' SYNC");
  assert.equal(kill, "KILL QUERY WHERE extract(query, '/\\\\*id:(\\\\S+)\\\\*/$') = 'query_id' ASYNC");
});

test('errors of chDB become lines of ClickHouse with their HTTP status', () => {
  const nested =
    'Code: 27. DB::Exception: Code: 27. DB::Exception: Cannot parse: (at row 2)\n: (in file/uri /data/request-bodies/1): ' +
    'While executing File: data for INSERT was parsed from file. (CANNOT_PARSE_INPUT_ASSERTION_FAILED) (version 26.7.2.1). (CANNOT_PARSE_INPUT_ASSERTION_FAILED)';
  const error = toStoreError(new Error(nested), '/data/request-bodies');
  assert.deepEqual(
    [error.code, error.codeName, error.status],
    [27, 'CANNOT_PARSE_INPUT_ASSERTION_FAILED', 400],
  );
  assert.doesNotMatch(error.message, /request-bodies|Code:/);
  assert.match(
    error.bodyText('26.7'),
    /^Code: 27\. DB::Exception: Cannot parse: .*\(CANNOT_PARSE_INPUT_ASSERTION_FAILED\) \(version 26\.7/s,
  );
  const statuses: [number, number][] = [
    [60, 404],
    [62, 400],
    [241, 500],
    [202, 503],
    [159, 408],
    [516, 403],
  ];
  for (const [code, status] of statuses) {
    assert.equal(toStoreError(new Error(`Code: ${code}. DB::Exception: x. (NAME)`)).status, status);
  }
  assert.equal(toStoreError('Query failed: Code: 60. DB::Exception: x. (UNKNOWN_TABLE)').message, 'x.');
  assert.deepEqual(
    [toStoreError(new Error('boom')).code, toStoreError(new Error('boom')).status],
    [1002, 500],
  );
});
