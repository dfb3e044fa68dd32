import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEndpoint } from '../top/scrape-source.ts';
import { parseTop } from './top-command.ts';

test('endpoints as people write them', () => {
  const cases: [string, string | undefined][] = [
    ['http://127.0.0.1:8888/metrics', 'http://127.0.0.1:8888/metrics'],
    ['https://gateway/own?x=1', 'https://gateway/own?x=1'],
    ['gateway:9000', 'http://gateway:9000/metrics'],
    [':9000', 'http://127.0.0.1:9000/metrics'],
    ['[::1]:9000', 'http://[::1]:9000/metrics'],
    ['gateway', 'http://gateway/metrics'],
    ['ftp://gateway', undefined],
    ['http://', undefined],
    ['gateway:port', undefined],
    ['file:///etc/passwd', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseEndpoint(text)?.href, expected, text);
});

test('flags in both forms, defaults, and every mistake', () => {
  const parsed = (...argv: string[]) => {
    const result = parseTop(argv);
    return result === 'help' || 'issues' in result ? result : { ...result, endpoint: result.endpoint.href };
  };
  assert.deepEqual(parsed(), { endpoint: 'http://127.0.0.1:8888/metrics', count: undefined });
  assert.deepEqual(parsed('--endpoint', ':1', '--count=3'), {
    endpoint: 'http://127.0.0.1:1/metrics',
    count: 3,
  });
  assert.equal(parsed('--count', '--help'), 'help');
  assert.deepEqual(parsed('--endpoint=ftp://x', '--count', '0', '--colour', 'x.yaml', '--count'), {
    issues: [
      'top knows --endpoint and --count, not --colour',
      'top knows --endpoint and --count, not x.yaml',
      '--count needs a value',
      '--count must be a number from 1 on, got "0"',
      '--endpoint must be a URL such as http://127.0.0.1:8888/metrics, or host:port',
    ],
  });
});
