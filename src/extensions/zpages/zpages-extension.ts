/** Pages for people: what runs and in which state. No value of the configuration is shown, only names. */
import type { Component } from '../../component/component.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { ComponentStatus, EngineView } from '../../component/status.ts';
import { type PageReply, PageServer, textReply } from '../helper/page-server.ts';
import type { ZpagesConfig } from './config.ts';

type Row = readonly string[];

export class ZpagesExtension implements Component {
  readonly #settings: ComponentSettings;
  readonly #server: PageServer;

  constructor(settings: ComponentSettings, config: ZpagesConfig) {
    this.#settings = settings;
    this.#server = new PageServer(settings, config.server, (url) => this.#answer(url));
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
    const { engine } = this.#settings;
    switch (engine === undefined ? '' : url.pathname) {
      case '/debug/servicez':
        return page('Service', this.#service(engine!));
      case '/debug/pipelinez':
        return page('Pipelines', pipelines(engine!));
      case '/debug/extensionz':
        return page('Extensions', states(engine!.components().filter(({ kind }) => kind === 'extension')));
      case '/debug/featurez':
        return page('Features', '<p>Feature gates set keys: see the configuration.</p>');
      case '/debug/tracez':
      case '/debug/expvarz':
        return textReply(404, 'not available: the engine keeps no spans of its own and is no Go program\n');
      default:
        return textReply(404, '404 page not found\n');
    }
  }

  #service(engine: EngineView): string {
    const { isReady, reasons } = engine.readiness();
    const facts: Row[] = [
      ['version', engine.version],
      ['started', new Date(engine.startedUnixMs).toISOString()],
      ['uptime', `${Math.round((this.#settings.clock.unixMs() - engine.startedUnixMs) / 1000)} s`],
      ['ready', isReady ? 'yes' : `no: ${reasons.join('; ')}`],
      ['threads', engine.threads().join(' ')],
    ];
    return `${table([], facts)}<h2>Components</h2>${states(engine.components())}`;
  }
}

function pipelines(engine: EngineView): string {
  const rows = engine
    .pipelines()
    .map(({ id, receivers, processors, exporters }) =>
      [[id], receivers, processors, exporters].map((ids) => ids.join(' ')),
    );
  return table(['pipeline', 'receivers', 'processors', 'exporters'], rows);
}

function states(statuses: readonly ComponentStatus[]): string {
  const rows = statuses.map(({ kind, id, state, message, sinceUnixMs }) => {
    return [kind, id, state, message, new Date(sinceUnixMs).toISOString()];
  });
  return table(['kind', 'component', 'state', 'reason', 'since'], rows);
}

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row, tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${head.length > 0 ? line(head, 'th') : ''}${rows.map((row) => line(row, 'td')).join('')}</table>`;
}

function page(title: string, body: string): PageReply {
  const links = ['servicez', 'pipelinez', 'extensionz']
    .map((name) => `<a href="/debug/${name}">${name}</a>`)
    .join(' ');
  const style = 'body{font-family:sans-serif}td,th{text-align:left;padding:2px 12px 2px 0}';
  const head = `<meta charset="utf-8"><title>millrace: ${title}</title><style>${style}</style>`;
  return {
    status: 200,
    contentType: 'text/html; charset=utf-8',
    headers: { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" },
    body: `<!doctype html><html lang="en"><head>${head}</head><body><p>${links}</p><h1>${title}</h1>${body}</body></html>\n`,
  };
}

/** Ids come from the configuration, which may be generated from names of other people. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
