import assert from 'node:assert/strict';
import test from 'node:test';
import { bearerMechanism } from './bearer-sasl.ts';
import { readKafkaError } from './errors.ts';

/** A broker that answers the first message with this, as the client hands it on, and ends the connection at the second. */
async function authenticate(answer: string): Promise<{ sent: string[]; error: unknown }> {
  const sent: string[] = [];
  const { authenticationProvider } = bearerMechanism(async () => 'one.two.');
  const { authenticate } = authenticationProvider({
    saslAuthenticate: async ({ request, response }) => {
      const bytes = request.encode();
      assert.equal(bytes.readInt32BE(0), bytes.length - 4);
      sent.push(bytes.toString('latin1', 4));
      if (sent.length > 1) throw new Error('Closed connection');
      const raw = Buffer.concat([Buffer.from([0, 0, 0, answer.length]), Buffer.from(answer)]);
      return response!.parse(response!.decode(raw));
    },
  });
  const error = await authenticate().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { sent, error };
}

test('a token that is taken', async () => {
  const { sent, error } = await authenticate('');
  assert.equal(error, undefined);
  assert.deepEqual(sent, ['n,,\u0001auth=Bearer one.two.\u0001\u0001']);
});

test('a token that is refused is an error of credentials with what the broker says about it', async () => {
  const { sent, error } = await authenticate('{"status":"invalid_token"}');
  assert.deepEqual(sent.slice(1), ['\u0001']);
  const { kind, message } = readKafkaError(error);
  assert.equal(kind, 'credentials');
  assert.match(message, /refuses the bearer token: \{"status":"invalid_token"\}/);
});
