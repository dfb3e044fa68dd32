import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import type { Component } from '../../component/component.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { FileStorageConfig } from './config.ts';

/** Makes sure at start that the directory can hold a log, so that the reason of a failure is the right key. */
export class FileStorageExtension implements Component {
  readonly #id: string;
  readonly #config: FileStorageConfig;

  constructor(settings: ComponentSettings, config: FileStorageConfig) {
    this.#id = settings.id;
    this.#config = config;
  }

  async start(): Promise<void> {
    const { directory, createsDirectory, directoryPermissions } = this.#config;
    if (createsDirectory) {
      const mode = Number.parseInt(directoryPermissions, 8);
      await mkdir(directory, { recursive: true, mode }).catch((error) => {
        throw this.#failure('cannot be created', error);
      });
    }
    const status = await stat(directory).catch((error) => {
      const isMissing = error.code === 'ENOENT';
      throw this.#failure(
        isMissing ? 'does not exist; create it or set create_directory to true' : 'cannot be read',
        error,
      );
    });
    if (!status.isDirectory()) throw this.#failure('is not a directory');
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK).catch((error) => {
      throw this.#failure('is not readable and writable for this process', error);
    });
  }

  async shutdown(): Promise<void> {}

  #failure(reason: string, cause?: unknown): PipelineError {
    const detail =
      cause instanceof Error ? ` (${(cause as NodeJS.ErrnoException).code ?? cause.message})` : '';
    return new PipelineError(
      'START_FAILED',
      `extensions::${this.#id}::directory: "${this.#config.directory}" ${reason}${detail}`,
      { permanent: true, cause },
    );
  }
}
