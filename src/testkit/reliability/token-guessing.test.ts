/** Guessing of tokens, by number (D16) and by time (D17), against the authenticator that people use. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import { BearerTokenServerAuth } from '../../extensions/bearertokenauth/bearer-token-auth.ts';
import { bearerTokenAuthConfigSchema } from '../../extensions/bearertokenauth/config.ts';
import { AuthGate } from '../../receivers/otlp/auth-gate.ts';
import { AuthLimiter } from '../../receivers/otlp/auth-limiter.ts';
import { startHttpBed, testSettings } from '../../receivers/otlp/bed.test-peer.ts';
import { post } from '../../receivers/otlp/http-client.test-peer.ts';
import {
  AUTH_ADDRESSES_MAX,
  AUTH_DELAY_MS,
  AUTH_DELAYED_MAX,
  AUTH_FAILURES_FREE,
} from '../../receivers/otlp/limits.ts';

const TOKEN = 'k7Qe2pXw9VtR4mZs8LbN1cYd6HfJ3gUa'.repeat(32);

async function startAuthenticator(t: TestContext): Promise<BearerTokenServerAuth> {
  const { value, issues } = bearerTokenAuthConfigSchema.parse({ token: TOKEN });
  assert.deepEqual(issues, []);
  const authenticator = new BearerTokenServerAuth(testSettings(), value!);
  await authenticator.start();
  t.after(() => authenticator.shutdown());
  return authenticator;
}

const guess = (text: string) =>
  `POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${text}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1\r\n\r\nx`;

/** Statuses of requests sent back to back on one connection from `localAddress`. */
async function guessFrom(port: number, localAddress: string, count: number): Promise<string[]> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1');
    const statuses = text.match(/HTTP\/1\.1 \d{3}/g) ?? [];
    if (statuses.length >= count) socket.destroy();
  });
  socket.write(Array.from({ length: count }, (_, i) => guess(`guess-${i}`)).join(''));
  await once(socket, 'close');
  return (text.match(/HTTP\/1\.1 \d{3}/g) ?? []).map((line) => line.slice(-3));
}

function tally(statuses: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

test('D16: ten thousand guesses from one address and from five thousand are slowed down, and cost little', {
  timeout: 180_000,
}, async (t) => {
  const authenticator = await startAuthenticator(t);
  const limiter = new AuthLimiter();
  const settings = { ...testSettings(), findExtension: () => authenticator };
  const bed = await startHttpBed('node', { auth: new AuthGate(settings, 'bearertokenauth', limiter) });
  t.after(() => bed.stop());
  let isOver = false;
  let slowestMs = 0;
  // The address of the attacker is that of a good client, too: both sit behind one proxy.
  const healthy = (async () => {
    while (!isOver) {
      const startedMs = performance.now();
      const { status } = await post(bed.port, { headers: { authorization: `Bearer ${TOKEN}` } });
      assert.notEqual(status, 401);
      if (status === 200) slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const startedMs = performance.now();
  const one = (
    await Promise.all(Array.from({ length: 100 }, () => guessFrom(bed.port, '127.0.0.2', 100)))
  ).flat();
  const elapsedMs = performance.now() - startedMs;
  const examinedMax = AUTH_FAILURES_FREE + AUTH_DELAYED_MAX * (1 + Math.ceil(elapsedMs / AUTH_DELAY_MS));
  const counts = tally(one);
  assert.equal(one.length, 10_000, JSON.stringify(counts));
  assert.ok(counts['401']! <= examinedMax, `${counts['401']} guesses were examined in ${elapsedMs} ms`);
  assert.equal(counts['401']! + counts['429']!, 10_000, JSON.stringify(counts));
  const rssBefore = process.memoryUsage().rss;
  for (let round = 0; round < 50; round += 1) {
    const many = await Promise.all(
      Array.from({ length: 100 }, (_, i) => guessFrom(bed.port, `127.1.${round}.${i + 1}`, 2)),
    );
    assert.deepEqual(tally(many.flat()), { '401': 200 });
  }
  assert.equal(limiter.trackedAddresses, AUTH_ADDRESSES_MAX);
  assert.ok(process.memoryUsage().rss - rssBefore < 100 << 20);
  isOver = true;
  await healthy;
  assert.equal((await post(bed.port, { headers: { authorization: `Bearer ${TOKEN}` } })).status, 200);
  t.diagnostic(`examined ${counts['401']} of 10000, slowest good request ${Math.round(slowestMs)} ms`);
});

/** Welch's t of two samples without their slowest tenth, which is the machine's doing. */
function welch(a: Float64Array, b: Float64Array): number {
  const trimmed = [a, b].map((sample) => sample.toSorted().subarray(0, Math.floor(sample.length * 0.9)));
  const [first, second] = trimmed.map((sample) => {
    const mean = sample.reduce((sum, each) => sum + each, 0) / sample.length;
    const variance = sample.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (sample.length - 1);
    return { mean, error: variance / sample.length };
  }) as [{ mean: number; error: number }, { mean: number; error: number }];
  return Math.abs(first.mean - second.mean) / Math.sqrt(first.error + second.error);
}

/** Times two inputs alternately, which of them first drawn from a fixed pattern. @returns the least t of some rounds. */
function timingDifference(check: (text: string) => unknown, inputs: readonly [string, string]): number {
  const samples = 10_000;
  let least = Number.POSITIVE_INFINITY;
  for (const text of inputs) for (let i = 0; i < 2000; i += 1) check(text);
  // A real difference is there in every round, a disturbance of the machine is not.
  for (let round = 0; round < 3; round += 1) {
    const times = [new Float64Array(samples), new Float64Array(samples)] as const;
    for (let i = 0; i < samples; i += 1) {
      const first = (i * 0x9e3779b1) >>> 31;
      for (const which of [first, 1 - first]) {
        const startedMs = performance.now();
        check(inputs[which]!);
        times[which]![i] = performance.now() - startedMs;
      }
    }
    least = Math.min(least, welch(times[0], times[1]));
  }
  return least;
}

/** What must not be done: it ends at the first character that differs. */
function comparedOneByOne(text: string): boolean {
  const wanted = `Bearer ${TOKEN}`;
  for (let i = 0; i < wanted.length; i += 1) if (text.charCodeAt(i) !== wanted.charCodeAt(i)) return false;
  return true;
}

test('D17: the time of a refusal does not tell how much of a token was right', {
  timeout: 180_000,
}, async (t) => {
  const authenticator = await startAuthenticator(t);
  const inputs = [`Bearer #${TOKEN.slice(1)}`, `Bearer ${TOKEN.slice(0, -1)}#`] as const;
  for (const text of inputs) assert.equal(authenticator.authenticate([text]).isAllowed, false);
  const naive = timingDifference(comparedOneByOne, inputs);
  const real = timingDifference((text) => authenticator.authenticate([text]), inputs);
  t.diagnostic(`t = ${real.toFixed(1)}, and ${naive.toFixed(1)} for a comparison character by character`);
  assert.ok(naive > 10, 'the method does not see a difference that is there');
  assert.ok(real < 4.5, `t = ${real}`);
});
