/**
 * An OTLP/HTTP client that knows what it was promised: every span carries (producer, sequence) in its trace id, and a
 * sequence is acknowledged only after a 200. The oracle of crash tests; it shares no code with the engine's codecs.
 */
import { Agent, request } from 'node:http';
import { requestType } from './otlp-root.ts';

export const SPANS_PER_REQUEST = 4;

/** 16 bytes: producer, then sequence, then span number, so that none is all zero. */
function traceId(producer: number, sequence: number, span: number): Uint8Array {
  const id = new Uint8Array(16);
  const view = new DataView(id.buffer);
  view.setUint32(0, producer + 1);
  view.setUint32(4, sequence);
  view.setUint32(8, span);
  view.setUint32(12, 0x6d696c6c);
  return id;
}

/** Key of one span as found in a sink: `producer/sequence/span`. */
export function spanKey(id: Uint8Array): string {
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  return `${view.getUint32(0) - 1}/${view.getUint32(4)}/${view.getUint32(8)}`;
}

export function ledgerRequest(producer: number, sequence: number, paddingBytes = 100): Uint8Array {
  const type = requestType('traces');
  const spans = Array.from({ length: SPANS_PER_REQUEST }, (_, span) => ({
    trace_id: traceId(producer, sequence, span),
    span_id: traceId(producer, sequence, span).subarray(0, 8),
    name: `ledger ${'x'.repeat(paddingBytes)}`,
    // Of now: a store's retention deletes older ones at once.
    start_time_unix_nano: `${Date.now()}000000`,
    end_time_unix_nano: `${Date.now()}000001`,
  }));
  return type.encode(type.fromObject({ resource_spans: [{ scope_spans: [{ spans }] }] })).finish();
}

export interface LedgerClientOptions {
  port: number;
  producers: number;
  paddingBytes?: number;
  /** Before the next request of a producer; most of a closed loop without one is work for the tests' own process. */
  pauseMs?: number;
}

/** Several producers in closed loops, one connection each; runs over crashes of the server. */
export class LedgerClient {
  /** `producer/sequence` that were answered with 200. */
  readonly acked = new Set<string>();
  readonly sent = new Set<string>();
  readonly statuses = new Map<number, number>();
  connectionErrors = 0;
  readonly #options: LedgerClientOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #sequences: number[];
  #isRunning = false;
  #loops: Promise<void>[] = [];

  constructor(options: LedgerClientOptions) {
    this.#options = options;
    this.#sequences = new Array<number>(options.producers).fill(0);
  }

  start(): void {
    this.#isRunning = true;
    this.#loops = this.#sequences.map((_, producer) => this.#produce(producer));
  }

  /** Resolves when no request is in flight any more. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Keys of all spans that the server has promised to keep. */
  ackedSpans(): string[] {
    return [...this.acked].flatMap((key) =>
      Array.from({ length: SPANS_PER_REQUEST }, (_, span) => `${key}/${span}`),
    );
  }

  async #produce(producer: number): Promise<void> {
    while (this.#isRunning) {
      const sequence = this.#sequences[producer]!++;
      const key = `${producer}/${sequence}`;
      this.sent.add(key);
      const status = await this.send(ledgerRequest(producer, sequence, this.#options.paddingBytes)).catch(
        () => 0,
      );
      if (status === 200) this.acked.add(key);
      const pauseMs = status === 200 ? this.#options.pauseMs : 10;
      if (pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** One request; rejects on connection errors and after ten seconds. */
  async send(body: Uint8Array): Promise<number> {
    const status = await new Promise<number>((resolve, reject) => {
      const outgoing = request(
        {
          port: this.#options.port,
          host: '127.0.0.1',
          path: '/v1/traces',
          method: 'POST',
          agent: this.#agent,
          timeout: 10_000,
          headers: { 'content-type': 'application/x-protobuf', 'content-length': body.byteLength },
        },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode!));
          response.on('error', reject);
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 s')));
      outgoing.on('error', (error) => {
        this.connectionErrors += 1;
        reject(error);
      });
      outgoing.end(body);
    });
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    return status;
  }
}
