/**
 * A server that speaks enough of ClickHouse's HTTP interface for an exporter to start and insert: it accepts DDL,
 * describes the tables it was asked to create, answers a few questions about the server, and reads inserts without
 * keeping them. It lets the load test price the engine alone, and it can be told to be down.
 * `node dist/loadtest/sinks/null-clickhouse.js [--port 18123]`; POST /control?state=down|up; GET /control for counts.
 */
import { realpathSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { parseCreateTable, type TableColumn } from './clickhouse-ddl.ts';

const SERVER_VERSION = '26.7.1.1';
const STATEMENT_BYTES_MAX = 1024 * 1024;

interface State {
  isDown: boolean;
  inserts: number;
  insertBytes: number;
  refusedInserts: number;
  readonly tables: Map<string, readonly TableColumn[]>;
}

type Row = Readonly<Record<string, string | number>>;

/** Answers in the format that the statement, its parameters or the headers ask for; tab-separated without one. */
function formatRows(rows: readonly Row[], format: string): string {
  if (format.startsWith('JSONEachRow')) return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  if (format.startsWith('JSON')) {
    const meta = Object.keys(rows[0] ?? {}).map((name) => ({ name, type: 'String' }));
    return JSON.stringify({ meta, data: rows, rows: rows.length });
  }
  return rows.map((row) => `${Object.values(row).join('\t')}\n`).join('');
}

const tableKey = (name: string): string => name.replaceAll(/[`"]/g, '').split('.').at(-1) ?? name;

function describeRows(state: State, table: string): Row[] {
  const none = {
    default_type: '',
    default_expression: '',
    comment: '',
    codec_expression: '',
    ttl_expression: '',
  };
  return (state.tables.get(tableKey(table)) ?? []).map((column) => ({ ...column, ...none }));
}

/** Rows that answer a statement; none for DDL and for everything that is not known here. */
function answerRows(state: State, statement: string): Row[] {
  const created = parseCreateTable(statement);
  if (created !== undefined) state.tables.set(tableKey(created.name), created.columns);
  const described = /^\s*DESC(?:RIBE)?\s+(?:TABLE\s+)?([`"A-Za-z0-9_.]+)/i.exec(statement)?.[1];
  if (described !== undefined) return describeRows(state, described);
  const exists = /^\s*EXISTS\s+(?:TABLE\s+)?([`"A-Za-z0-9_.]+)/i.exec(statement)?.[1];
  if (exists !== undefined) return [{ result: state.tables.has(tableKey(exists)) ? 1 : 0 }];
  if (/version\(\)/i.test(statement)) return [{ 'version()': SERVER_VERSION, version: SERVER_VERSION }];
  if (/^\s*SELECT\s+1\b/i.test(statement)) return [{ '1': 1 }];
  return [];
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=UTF-8', ...headers });
  response.end(body);
}

const SUMMARY = { 'x-clickhouse-summary': '{"read_rows":"0","written_rows":"0","result_rows":"0"}' };

function sendDown(response: ServerResponse): void {
  const body = 'Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)\n';
  send(response, 503, body, { 'x-clickhouse-exception-code': '202' });
}

async function readStatement(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > STATEMENT_BYTES_MAX) throw new RangeError('statement too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function swallowInsert(state: State, request: IncomingMessage, response: ServerResponse): void {
  let sizeBytes = 0;
  request.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
  });
  request.on('end', () => {
    if (state.isDown) {
      state.refusedInserts += 1;
      sendDown(response);
      return;
    }
    state.inserts += 1;
    state.insertBytes += sizeBytes;
    send(response, 200, '', SUMMARY);
  });
}

async function handle(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://sink');
  if (url.pathname === '/control') {
    const wanted = url.searchParams.get('state');
    if (wanted !== null) state.isDown = wanted === 'down';
    request.resume();
    const { tables, ...counts } = state;
    send(response, 200, JSON.stringify({ ...counts, tables: [...tables.keys()] }));
    return;
  }
  if (url.pathname === '/ping') {
    if (state.isDown) sendDown(response);
    else send(response, 200, 'Ok.\n');
    return;
  }
  const inUrl = url.searchParams.get('query') ?? '';
  if (/^\s*INSERT\b/i.test(inUrl)) {
    swallowInsert(state, request, response);
    return;
  }
  const statement = `${inUrl}\n${await readStatement(request)}`.trim();
  // An insert whose statement leads the body ends up here; only its first megabyte may follow it.
  if (/^\s*INSERT\b/i.test(statement)) {
    state.inserts += 1;
    send(response, 200, '', SUMMARY);
    return;
  }
  if (state.isDown) {
    sendDown(response);
    return;
  }
  const format =
    /\bFORMAT\s+([A-Za-z]+)\s*;?\s*$/i.exec(statement)?.[1] ??
    url.searchParams.get('default_format') ??
    String(request.headers['x-clickhouse-format'] ?? 'TabSeparated');
  send(response, 200, formatRows(answerRows(state, statement), format), SUMMARY);
}

export interface NullClickhouse {
  readonly port: number;
  close(): Promise<void>;
}

export async function startNullClickhouse(port = 0): Promise<NullClickhouse> {
  const state: State = { isDown: false, inserts: 0, insertBytes: 0, refusedInserts: 0, tables: new Map() };
  const server = createServer((request, response) => {
    handle(state, request, response).catch((error: Error) =>
      send(response, 400, `Code: 62. ${error.message}\n`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

if (import.meta.url === pathToFileURL(realpathSync(process.argv[1] ?? '.')).href) {
  const { values } = parseArgs({ options: { port: { type: 'string' } } });
  const sink = await startNullClickhouse(Number(values.port ?? 18123));
  process.stdout.write(`null ClickHouse sink, pid ${process.pid}: port ${sink.port}\n`);
}
