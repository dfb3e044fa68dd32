/** Runs the statements of HTTP requests in the engine. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../../stdx/clock.ts';
import { requestBody } from './body.ts';
import type { Engine } from './engine.ts';
import type { Job } from './engine-session.ts';
import { parseRequest, type StoreRequest } from './request.ts';
import { contentType, type Progress, ResultWriter, sendError, summaryText } from './response.ts';
import { spoolBody } from './spool.ts';
import { insertFromFile, killByTag, parseStatement, returnsStream, withQueryTag } from './statement.ts';
import { readStatement, type StatementInput } from './statement-reader.ts';
import { type StoreError, shuttingDown, toStoreError } from './store-error.ts';
import { streamHeaderLines, withoutRepeatedHeaders } from './stream-formats.ts';

/** Settings that no later SET puts back: a connection that had them is not used again. */
const STICKY_SETTINGS = ['allow_ddl', 'compatibility'];

export class RequestHandler {
  readonly #engine: Engine;
  readonly #clock: Clock;
  #activeCount = 0;
  #isClosing = false;
  #onIdle: (() => void) | undefined;

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Answers one request; never rejects. */
  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#activeCount += 1;
    try {
      if (this.#isClosing) throw shuttingDown();
      await this.#serve(message, response);
    } catch (error) {
      sendError(response, this.#toError(error), this.#engine.version);
    } finally {
      this.#activeCount -= 1;
      if (this.#activeCount === 0) this.#onIdle?.();
    }
  }

  /** Refuses new requests; resolves when the running ones are answered. */
  drain(): Promise<void> {
    this.#isClosing = true;
    if (this.#activeCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #toError(error: unknown): StoreError {
    return toStoreError(error, this.#engine.spoolDirectory);
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = parseRequest(message, this.#engine);
    response.setHeader('X-ClickHouse-Query-Id', request.queryId);
    response.setHeader('X-ClickHouse-Timezone', this.#engine.timezone);
    response.setHeader('X-ClickHouse-Server-Display-Name', 'millrace');
    const startedMs = this.#clock.monotonicMs();
    const progress = {
      ...{ readRows: 0, readBytes: 0, writtenRows: 0, writtenBytes: 0, resultBytes: 0 },
      startedMs,
    };
    const input = await readStatement(request, requestBody(message));
    if (input.kind === 'insert') await this.#insert(request, input, progress, response);
    else if (input.text.trim() === '' && message.method === 'GET') response.end('Ok.\n');
    else await this.#query(request, input.text, progress, response);
  }

  /** Rows go to a file first: chDB's own entries for rows end at the first empty line. */
  async #insert(
    request: StoreRequest,
    input: StatementInput & { kind: 'insert' },
    progress: Progress,
    response: ServerResponse,
  ): Promise<void> {
    const { inserts, spoolDirectory } = this.#engine;
    inserts.assertRoom();
    const body = await spoolBody(spoolDirectory, input.rows);
    try {
      const latin1Sql = insertFromFile(input.latin1Text, input.head, body.path, input.compression);
      const sql = Buffer.from(latin1Sql, 'latin1').toString();
      const result = await inserts.use(async (session) => {
        // The client that gave up will come again with the same rows.
        if (response.destroyed) throw shuttingDown();
        try {
          return await session.run(toJob(request, sql));
        } finally {
          if (isSticky(request)) session.renew();
        }
      });
      progress.readRows = progress.writtenRows = result.rowsRead;
      progress.readBytes = progress.writtenBytes = result.bytesRead;
    } finally {
      await body.remove();
    }
    response.setHeader('Content-Type', contentType(request.defaultFormat));
    response.setHeader('X-ClickHouse-Format', request.defaultFormat);
    response.setHeader('X-ClickHouse-Summary', summaryText(progress, this.#clock.monotonicMs()));
    response.setHeader('Content-Length', 0);
    response.end();
  }

  async #query(
    request: StoreRequest,
    text: string,
    progress: Progress,
    response: ServerResponse,
  ): Promise<void> {
    const engine = this.#engine;
    const statement = parseStatement(text);
    const format = engine.formatNames.get(statement.format?.toLowerCase() ?? '') ?? request.defaultFormat;
    const sql = statement.verb === 'KILL' ? killByTag(statement.sql) : statement.sql;
    const job = toJob(request, sql);
    const headerLines = request.waitsForEnd ? undefined : streamHeaderLines(format);
    const isStream = headerLines !== undefined && returnsStream(statement);
    const writer = new ResultWriter(response, {
      encoding: request.responseEncoding,
      engine,
      finishHeaders: () => {
        response.setHeader('Content-Type', contentType(format));
        response.setHeader('X-ClickHouse-Format', format);
        response.setHeader('X-ClickHouse-Summary', summaryText(progress, this.#clock.monotonicMs()));
      },
    });
    const pool = request.isReadOnly ? engine.readOnlyQueries : engine.queries;
    try {
      const result = await pool.use(async (session) => {
        try {
          if (!isStream) return await session.run(job);
          const blocks = session.stream(job);
          const parts = headerLines === 0 ? blocks : withoutRepeatedHeaders(blocks, headerLines, format);
          for await (const bytes of parts) {
            progress.resultBytes += bytes.byteLength;
            await writer.write(bytes);
          }
          return undefined;
        } finally {
          if (statement.changesSession || isSticky(request)) session.renew();
        }
      });
      if (result !== undefined) {
        progress.readRows = result.rowsRead;
        progress.readBytes = result.bytesRead;
        progress.resultBytes = result.bytes.byteLength;
        await writer.write(result.bytes);
      }
      await writer.end();
    } catch (error) {
      if (response.destroyed) return;
      writer.fail(this.#toError(error));
    }
  }
}

function toJob(request: StoreRequest, sql: string): Job {
  const { database, settings, params, defaultFormat } = request;
  return {
    sql: withQueryTag(sql, request.queryId),
    format: defaultFormat,
    database,
    settings,
    params,
  };
}

function isSticky(request: StoreRequest): boolean {
  return STICKY_SETTINGS.some((name) => request.settings.has(name));
}
