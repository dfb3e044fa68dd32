/** An end for answers: the AWS client gathers what is no object in memory, however much a store sends. */
import { type Readable, Transform } from 'node:stream';

interface Answer {
  statusCode: number;
  body?: unknown;
}

type Handler<Args, Result> = (args: Args) => Promise<Result>;

/**
 * Middleware of the step `deserialize`, to stand next to the request. Objects have no end but their own.
 * @param bytesMax of any other answer.
 */
export function boundAnswers(bytesMax: number) {
  return <Args, Result extends { response: unknown }>(
    next: Handler<Args, Result>,
    /** What the client knows of the command. */
    context: { commandName?: string },
  ): Handler<Args, Result> => {
    return async (args) => {
      const result = await next(args);
      const answer = result.response as Answer;
      const isObject = context.commandName === 'GetObjectCommand' && answer.statusCode < 300;
      if (!isObject && isReadable(answer.body)) answer.body = boundedBody(answer.body, bytesMax);
      return result;
    };
  };
}

function isReadable(body: unknown): body is Readable {
  return typeof (body as Readable | undefined)?.pipe === 'function';
}

function boundedBody(body: Readable, bytesMax: number): Readable {
  let sizeBytes = 0;
  const bounded = new Transform({
    transform: (chunk: Buffer, _, done) => {
      sizeBytes += chunk.byteLength;
      if (sizeBytes <= bytesMax) return done(null, chunk);
      body.destroy();
      done(new Error(`the answer has more than ${bytesMax >> 20} MiB`));
    },
  });
  body.on('error', (error) => bounded.destroy(error));
  return body.pipe(bounded);
}
