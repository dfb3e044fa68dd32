/** `/debug/pprof/`: the Collector's paths, V8's formats. */
import type { Component } from '../../component/component.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { EngineView } from '../../component/status.ts';
import { type PageReply, PageServer, textReply } from '../helper/page-server.ts';
import type { PprofConfig } from './config.ts';

const PREFIX = '/debug/pprof/';
/** As in Go, when the client does not say. */
const SECONDS_DEFAULT = 30;
const SECONDS_MAX = 300;
const OF_GO = ['allocs', 'block', 'cmdline', 'goroutine', 'mutex', 'symbol', 'threadcreate', 'trace'];

export class PprofExtension implements Component {
  readonly #engine: EngineView | undefined;
  readonly #server: PageServer;
  /** One at a time: each costs its thread time, and a snapshot costs memory. */
  #isBusy = false;

  constructor(settings: ComponentSettings, config: PprofConfig) {
    this.#engine = settings.engine;
    this.#server = new PageServer(settings.id, config.endpoint, (url) => this.#answer(url));
  }

  /** Bound port, known after `start`. */
  get port(): number {
    return this.#server.port;
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  shutdown(): Promise<void> {
    return this.#server.shutdown();
  }

  #answer(url: URL): PageReply {
    const name = url.pathname.startsWith(PREFIX) ? url.pathname.slice(PREFIX.length) : undefined;
    if (name === '') return textReply(200, this.#index());
    if (name === 'profile' || name === 'heap') return this.#profile(name, url.searchParams);
    if (name !== undefined && OF_GO.includes(name))
      return textReply(404, `V8 has no profile "${name}"; there are profile and heap\n`);
    return textReply(404, '404 page not found\n');
  }

  #index(): string {
    const threads = this.#engine?.threads() ?? [];
    return [
      `${PREFIX}profile?seconds=30&thread=main   CPU profile (.cpuprofile)`,
      `${PREFIX}heap?thread=main                 heap snapshot (.heapsnapshot)`,
      'Both open in the developer tools of Chrome, in Visual Studio Code and in speedscope.',
      '',
      `threads: ${threads.join(' ')}`,
      '',
    ].join('\n');
  }

  #profile(name: 'profile' | 'heap', query: URLSearchParams): PageReply {
    const seconds = Number(query.get('seconds') ?? SECONDS_DEFAULT);
    if (!(seconds > 0 && seconds <= SECONDS_MAX))
      return textReply(400, `seconds must be more than 0 and at most ${SECONDS_MAX}\n`);
    if (this.#isBusy) return textReply(503, 'another profile is being taken\n');
    const thread = query.get('thread') ?? 'main';
    const parts = this.#engine?.profile(thread, name === 'heap' ? 'heap' : 'cpu', seconds);
    if (parts === undefined) {
      const threads = this.#engine?.threads() ?? [];
      return textReply(404, `no such thread; there are: ${threads.join(' ')}\n`);
    }
    this.#isBusy = true;
    const extension = name === 'heap' ? 'heapsnapshot' : 'cpuprofile';
    return {
      status: 200,
      contentType: 'application/json',
      headers: {
        'content-disposition': `attachment; filename="${thread.replaceAll(/[^\w.-]/g, '_')}.${extension}"`,
      },
      body: this.#guarded(parts),
    };
  }

  async *#guarded(parts: AsyncIterable<string>): AsyncGenerator<string> {
    try {
      yield* parts;
    } finally {
      this.#isBusy = false;
    }
  }
}
