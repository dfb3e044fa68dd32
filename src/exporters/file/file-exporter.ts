import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter } from '../../component/exporter.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import { DIRECTORY_PERMISSIONS_DEFAULT, type FileConfig } from './config.ts';
import { MessageEncoder } from './message-encoder.ts';
import { OutputFile } from './output-file.ts';

/**
 * Appends batches to a file. One instance a signal; all instances with one path share the file, in any thread.
 *
 * | event                               | the batch                         | the file                           |
 * | ----------------------------------- | --------------------------------- | ---------------------------------- |
 * | written and flushed                 | delivered                         | whole messages                     |
 * | disk full, no permission, I/O error | sent again                        | as before the batch                |
 * | crash before the flush              | sent again: may be there twice    | the last message may be incomplete |
 * | bytes that are not protobuf         | dropped                           | as before the batch                |
 */
export class FileExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: FileConfig;
  #encoder: MessageEncoder | undefined;
  #file: OutputFile | undefined;

  constructor(settings: ComponentSettings, config: FileConfig) {
    this.#settings = settings;
    this.#config = config;
  }

  /** @throws PipelineError START_FAILED when the file cannot be opened or this Node cannot compress. */
  async start(): Promise<void> {
    const { path, appends, rotation, createsDirectory, directoryPermissions } = this.#config;
    const { clock, logger } = this.#settings;
    const encoder = new MessageEncoder(this.#config);
    const mode = Number.parseInt(directoryPermissions ?? DIRECTORY_PERMISSIONS_DEFAULT, 8);
    const file = new OutputFile({
      path,
      appends,
      rotation,
      isFramed: encoder.isFramed,
      directoryMode: createsDirectory ? mode : undefined,
      processStartUnixMs: clock.unixMs() - process.uptime() * 1000,
      clock,
      logger,
    });
    try {
      await file.open();
    } catch (error) {
      await file.close();
      throw new PipelineError('START_FAILED', this.#describe('cannot be opened', error), {
        permanent: true,
        cause: error,
      });
    }
    this.#encoder = encoder;
    this.#file = file;
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    if (this.#file === undefined || this.#encoder === undefined) {
      throw new PipelineError('SHUTTING_DOWN', 'the exporter is not started', { permanent: false });
    }
    try {
      await this.#file.append(this.#encoder.encode(batch.signal, batch.slices), signal);
    } catch (error) {
      if (error instanceof PipelineError) throw error;
      const message = this.#describe('cannot be written', error);
      throw new PipelineError('EXPORT_UNAVAILABLE', message, { permanent: false, cause: error });
    }
  }

  async shutdown(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #describe(reason: string, error: unknown): string {
    const { code, message } = error as NodeJS.ErrnoException;
    const hint = code === 'ENOENT' ? '; create its directory or set create_directory to true' : '';
    const path = JSON.stringify(this.#config.path);
    return `exporters::${this.#settings.id}::path: ${path} ${reason} (${code ?? message})${hint}`;
  }
}
