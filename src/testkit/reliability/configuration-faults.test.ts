// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
/**
 * Hostile and mistaken configurations through the real program (E2, E4): exit code 1 within seconds, every mistake with its
 * place, no address bound, nothing written, nothing executed.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { EngineProcess, freePort } from '../engine-process.ts';

const REFUSED_WITHIN_MS = 15_000;
const AT_ONCE = 4;
const port = await freePort();
const directory = mkdtempSync(join(tmpdir(), 'millrace-faults-'));
after(() => rmSync(directory, { recursive: true, force: true }));

interface Fault {
  name: string;
  text: string | Uint8Array;
  env?: Record<string, string>;
  files?: Record<string, string>;
  /** Each has to match the output. */
  says: readonly RegExp[];
}

const TAIL = `
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:${port}"}}}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}
`;
const withNop = (text: string) => `${text}\nexporters: {nop: }${TAIL}`;
const bomb = Array.from({ length: 12 }, (_, level) => {
  const below = level === 0 ? '[x, x]' : `[${Array.from({ length: 9 }, () => `*l${level - 1}`).join(', ')}]`;
  return `l${level}: &l${level} ${below}`;
}).join('\n');

const FAULTS: readonly Fault[] = [
  { name: 'aliases that multiply', text: withNop(bomb), says: [/aliases|stand for more than/] },
  { name: 'an alias in itself', text: withNop('x: &x [*x]'), says: [/:1:8: .*alias "\*x" contains itself/] },
  {
    name: 'tags that run code elsewhere',
    text: withNop(
      'x: !!js/function "function () { return 1 }"\ny: !!python/object:os.system [touch]\nz: !own 1',
    ),
    says: [
      /:1:\d+: .*tags are not allowed/,
      /:2:\d+: .*tags are not allowed/,
      /:3:\d+: .*tags are not allowed/,
    ],
  },
  {
    name: 'members of every object as components and keys',
    text: `exporters: {__proto__: {polluted: 1}, constructor: , nop: {__proto__: 1, toString: 2, hasOwnProperty: 3}}${TAIL}`,
    says: [
      /exporters.*__proto__/,
      /exporters.*constructor/,
      /nop.*unknown key "toString"/,
      /nop.*"hasOwnProperty"/,
    ],
  },
  {
    name: 'one key twice',
    text: `exporters: {nop: }\nexporters: {debug: }${TAIL}`,
    says: [/:2:1: .*duplicate key "exporters"/],
  },
  {
    name: 'variables that name each other',
    text: withNop('processors: {batch: {timeout: "${env:CYCLE_A}"}}'),
    env: { CYCLE_A: '${env:CYCLE_B}', CYCLE_B: '${env:CYCLE_A}' },
    says: [/:1:\d+: processors::batch::timeout: .*CYCLE_A/],
  },
  {
    name: 'variables that double 40 times',
    text: withNop('processors: {batch: {timeout: "${env:D40}"}}'),
    env: Object.fromEntries(
      Array.from({ length: 41 }, (_, i) => [
        `D${i}`,
        i === 0 ? 'x'.repeat(100) : `\${env:D${i - 1}}\${env:D${i - 1}}`,
      ]),
    ),
    says: [/:1:\d+: processors::batch::timeout: /],
  },
  {
    name: 'a file that names itself',
    text: withNop('processors: "${file:DIRECTORY/self}"'),
    files: { self: '${file:DIRECTORY/self}' },
    says: [/processors: .*self/],
  },
  {
    name: 'a file of two mebibytes',
    text: withNop('processors: "${file:DIRECTORY/big}"'),
    files: { big: 'x'.repeat(2 << 20) },
    says: [/processors: .*(?:1 MiB|1048576|too large|larger)/],
  },
  {
    name: 'a configuration of eleven mebibytes',
    text: `#${'x'.repeat(11 << 20)}\n${withNop('')}`,
    says: [/10 MiB|larger|too large/],
  },
  { name: 'a hundred thousand brackets', text: `x: ${'['.repeat(100_000)}`, says: [/nested too deeply/] },
  {
    name: 'bytes that are no text',
    text: Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x3a, 0x20]),
    says: [/error: /],
  },
  { name: 'two documents', text: `${withNop('')}\n---\nexporters: {}`, says: [/only one YAML document/] },
  { name: 'nothing', text: '', says: [/error: /] },
  {
    name: 'many mistakes at once',
    text: `receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:${port}", max_request_body_sise: 1}}}
processors:
  batch: {timeout: soon, send_batch_size: -1}
  kafka_magic: {}
exporters:
  otlp_http: {compression: rar}
  nop:
extensions: {file_storage: {directory: 5}}
service:
  extensions: [missing]
  pipelines:
    traces: {receivers: [otlp, nobody], processors: [batch], exporters: [nop]}
    pictures: {receivers: [otlp], exporters: [nop]}
`,
    says: [
      /:2:\d+: .*unknown key "max_request_body_sise".*max_request_body_size/,
      /:4:\d+: processors::batch::timeout: /,
      /:4:\d+: processors::batch::send_batch_size: /,
      /:5:\d+: .*kafka_magic/,
      /:7:\d+: exporters::otlp_http::compression: /,
      /:9:\d+: extensions::file_storage::directory: /,
      /service::extensions.*missing/,
      /service::pipelines::traces.*nobody/,
      /service::pipelines.*pictures/,
    ],
  },
];

function isListening(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('close', () => socket.destroy());
  });
}

async function expectRefusal({ text, env = {}, files = {}, says }: Fault, own: string): Promise<void> {
  const inPlace = (written: string) => written.replaceAll('DIRECTORY', directory);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), inPlace(content));
  const configFile = `${own}.yaml`;
  writeFileSync(configFile, typeof text === 'string' ? inPlace(text) : text);
  const startedMs = Date.now();
  const engine = EngineProcess.spawn({ config: '', configFile, dataDir: own, env });
  let stdout = '';
  engine.child.stdout!.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const guard = setTimeout(() => engine.child.kill('SIGKILL'), REFUSED_WITHIN_MS);
  const { code, signal } = await engine.exit();
  clearTimeout(guard);
  const output = `${engine.log}${stdout}`;
  assert.deepEqual({ code, signal }, { code: 1, signal: null }, output);
  for (const expected of says) assert.match(output, expected);
  // Every line that tells of a mistake is short, and none is a stack.
  assert.doesNotMatch(output, /^\s+at .*\(/m);
  for (const line of output.split('\n')) assert.ok(line.length < 2000, line.slice(0, 300));
  assert.ok(!existsSync(own), 'a data directory was made');
  assert.ok(Date.now() - startedMs < REFUSED_WITHIN_MS);
}

test('E2, E4: hostile and wrong configurations are refused by the program, all mistakes told, nothing started', async (t) => {
  const queue = FAULTS.map((fault, index) => ({ fault, own: join(directory, `fault-${index}`) }));
  const failures: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { fault, own } = next;
      await expectRefusal(fault, own).catch((error: Error) =>
        failures.push(`${fault.name}: ${error.message}`),
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  assert.equal(await isListening(), false, 'the address of the receiver is bound');
  t.diagnostic(`${FAULTS.length} configurations`);
  assert.deepEqual(failures, []);
});
