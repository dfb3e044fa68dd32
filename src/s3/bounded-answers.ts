/** An end for answers: the AWS client gathers what is no object in memory, however much a store sends. */
import { type Readable, Transform } from 'node:stream';

/** Of a page of a listing: a thousand keys of a KiB, each letter written as an entity of XML. */
const ANSWER_BYTES_MAX = 8 << 20;

interface Answer {
  statusCode: number;
  body?: unknown;
}

type Handler<Args, Result> = (args: Args) => Promise<Result>;

/**
 * Middleware of the step `deserialize`, to stand next to the request.
 * @param context what the client knows of the command.
 */
export function boundAnswers<Args, Result extends { response: unknown }>(
  next: Handler<Args, Result>,
  context: { commandName?: string },
): Handler<Args, Result> {
  return async (args) => {
    const result = await next(args);
    const answer = result.response as Answer;
    const isObject = context.commandName === 'GetObjectCommand' && answer.statusCode < 300;
    if (!isObject && isReadable(answer.body)) answer.body = boundedBody(answer.body);
    return result;
  };
}

function isReadable(body: unknown): body is Readable {
  return typeof (body as Readable | undefined)?.pipe === 'function';
}

function boundedBody(body: Readable): Readable {
  let sizeBytes = 0;
  const bounded = new Transform({
    transform: (chunk: Buffer, _, done) => {
      sizeBytes += chunk.byteLength;
      if (sizeBytes <= ANSWER_BYTES_MAX) return done(null, chunk);
      body.destroy();
      done(new Error(`the store answers with more than ${ANSWER_BYTES_MAX >> 20} MiB`));
    },
  });
  body.on('error', (error) => bounded.destroy(error));
  return body.pipe(bounded);
}
