/** `/debug/pprof/`: the Collector's paths, V8's formats. */
import { writeFile } from 'node:fs/promises';
import type { Component } from '../../component/component.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { EngineView } from '../../component/status.ts';
import { startCpuProfile } from '../../stdx/profile.ts';
import { type PageReply, PageServer, textReply } from '../helper/page-server.ts';
import type { PprofConfig } from './config.ts';

const PREFIX = '/debug/pprof/';
/** As in Go, when the client does not say. */
const SECONDS_DEFAULT = 30;
const SECONDS_MAX = 300;
/** Samples of a profile add up in memory, so what `save_to_file` asks for ends with the engine or after this. */
const SAVED_MS_MAX = 600_000;
const OF_GO = ['allocs', 'block', 'cmdline', 'goroutine', 'mutex', 'symbol', 'threadcreate', 'trace'];

export class PprofExtension implements Component {
  readonly #engine: EngineView | undefined;
  readonly #server: PageServer;
  readonly #settings: ComponentSettings;
  readonly #saveToFile: string;
  #saving: { stop(): Promise<string> } | undefined;
  #savingTimer: NodeJS.Timeout | undefined;
  /** One at a time: each costs its thread time, and a snapshot costs memory. */
  #isBusy = false;

  constructor(settings: ComponentSettings, config: PprofConfig) {
    this.#settings = settings;
    this.#saveToFile = config.saveToFile;
    this.#engine = settings.engine;
    this.#server = new PageServer(settings, config.server, (url) => this.#answer(url));
  }

  /** Bound port, known after `start`. */
  get port(): number {
    return this.#server.port;
  }

  async start(): Promise<void> {
    if (this.#saveToFile !== '') {
      await this.#openFile();
      this.#saving = await startCpuProfile();
      this.#savingTimer = setTimeout(() => void this.#save(), SAVED_MS_MAX).unref();
    }
    await this.#server.start();
  }

  async shutdown(): Promise<void> {
    await this.#save();
    await this.#server.shutdown();
  }

  /** A profile that nobody could write at the end would be a day lost. */
  async #openFile(): Promise<void> {
    try {
      await writeFile(this.#saveToFile, '');
    } catch (cause) {
      const message = `extension ${this.#settings.id}: save_to_file: ${(cause as Error).message}`;
      throw new PipelineError('START_FAILED', message, { permanent: true, cause });
    }
  }

  async #save(): Promise<void> {
    clearTimeout(this.#savingTimer);
    const saving = this.#saving;
    this.#saving = undefined;
    if (saving === undefined) return;
    const { logger } = this.#settings;
    try {
      await writeFile(this.#saveToFile, await saving.stop());
      logger.info('the CPU profile was saved', { file: this.#saveToFile });
    } catch (error) {
      logger.error('the CPU profile could not be saved', { error: (error as Error).message });
    }
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
