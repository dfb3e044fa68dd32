import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CorsConfig, CorsPolicy } from '../../stdx/cors-policy.ts';
import { HTTP_KINDS, startHttpBed } from './bed.test-peer.ts';
import { post } from './http-client.test-peer.ts';

const CORS: CorsConfig = {
  allowedOrigins: ['https://app.example.com', 'https://*.test'],
  allowedHeaders: ['X-Tenant'],
  exposedHeaders: [],
  maxAgeS: 60,
};

test('origins match exactly or around one star, and a bare star never goes with credentials', () => {
  const policy = new CorsPolicy(CORS, ['POST']);
  const allows = (origin: string): boolean => policy.responseHeaders(origin).length > 0;
  assert.equal(allows('https://app.example.com'), true);
  assert.equal(allows('HTTPS://APP.EXAMPLE.COM'), true);
  assert.equal(allows('https://a.test'), true);
  assert.equal(allows('https://app.example.com.evil'), false);
  assert.equal(allows('http://app.example.com'), false);
  assert.equal(allows('https://test'), false);
  assert.equal(allows('null'), false);
  const everybody = new CorsPolicy({ ...CORS, allowedOrigins: ['*'] }, ['POST']);
  assert.deepEqual(everybody.responseHeaders('https://evil'), [['access-control-allow-origin', '*']]);
});

for (const kind of HTTP_KINDS) {
  test(`preflight and answers on ${kind} (D19)`, async () => {
    const bed = await startHttpBed(kind, { replies: { responseHeaders: [['X-Site', 'a']], cors: CORS } });
    const off = await startHttpBed(kind);
    try {
      const origin = 'https://app.example.com';
      const preflight = { origin, 'access-control-request-method': 'POST' };
      const allowed = await post(bed.port, { method: 'OPTIONS', headers: preflight });
      assert.equal(allowed.status, 204);
      assert.equal(allowed.headers['access-control-allow-origin'], origin);
      assert.equal(allowed.headers['access-control-allow-methods'], 'POST');
      assert.equal(
        allowed.headers['access-control-allow-headers'],
        'content-type, content-encoding, X-Tenant',
      );
      assert.equal(allowed.headers['access-control-max-age'], '60');
      const stranger = await post(bed.port, {
        method: 'OPTIONS',
        headers: { ...preflight, origin: 'https://evil' },
      });
      assert.equal(stranger.headers['access-control-allow-origin'], undefined);
      const sent = await post(bed.port, { headers: { origin } });
      assert.equal(sent.status, 200);
      assert.equal(sent.headers['access-control-allow-credentials'], 'true');
      assert.equal(sent.headers['x-site'], 'a');
      assert.equal((await post(off.port, { method: 'OPTIONS', headers: preflight })).status, 405);
      const plain = await post(off.port, { headers: { origin } });
      assert.equal(plain.headers['access-control-allow-origin'], undefined);
    } finally {
      bed.stop();
      off.stop();
    }
  });
}
