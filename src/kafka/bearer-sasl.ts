/**
 * SASL OAUTHBEARER (RFC 7628). The client's own takes a token that the broker has refused for one that it took, because a
 * refusal comes as data of the exchange and not as an error; what it says after that is that a connection was closed.
 */

/** How the client lets a mechanism talk: kafkajs 2.2.4, types `Mechanism` and `AuthenticationProviderArgs`. */
interface Exchange {
  saslAuthenticate<T>(round: {
    request: { encode(): Buffer };
    response?: { decode(raw: Buffer): Buffer; parse(bytes: Buffer): T };
  }): Promise<T | undefined>;
}

export interface BearerMechanism {
  mechanism: string;
  authenticationProvider(exchange: Exchange): { authenticate(): Promise<void> };
}

/** By its name an error of credentials, as those of the other mechanisms; see errors.ts. */
class TokenRefused extends Error {
  override readonly name = 'KafkaJSSASLAuthenticationError';
  readonly retriable = false;
}

const LENGTH_BYTES = 4;
/** Section 3.1: what key-value pairs end with; also the whole answer to a refusal (section 3.2.3). */
const SEPARATOR = '\u0001';

/** @param bearerToken asked for every connection. Its errors are those of the connection. */
export function bearerMechanism(bearerToken: () => Promise<string>): BearerMechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const token = await bearerToken();
        const refusal = await saslAuthenticate({
          request: message(`n,,${SEPARATOR}auth=Bearer ${token}${SEPARATOR}${SEPARATOR}`),
          response: { decode: (raw) => raw.subarray(LENGTH_BYTES), parse: (bytes) => bytes.toString() },
        });
        if (refusal === undefined || refusal === '') return;
        // The broker waits for it before it ends the connection.
        await saslAuthenticate({ request: message(SEPARATOR) }).catch(() => undefined);
        throw new TokenRefused(`the broker refuses the bearer token: ${refusal}`);
      },
    }),
  };
}

/** With its length in front, as the client wants it. */
function message(text: string): { encode(): Buffer } {
  const bytes = Buffer.alloc(LENGTH_BYTES + Buffer.byteLength(text));
  bytes.writeInt32BE(bytes.length - LENGTH_BYTES);
  bytes.write(text, LENGTH_BYTES);
  return { encode: () => bytes };
}
