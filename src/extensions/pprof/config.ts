import { count, ignored, squash, string } from '../../config/field-kinds.ts';
import { defineConfig } from '../../config/schema.ts';
import { type PageServerConfig, pageServerShape } from '../helper/page-config.ts';

export interface PprofConfig {
  server: PageServerConfig;
  /** CPU profile of the main thread from start to stop; '' for none. */
  saveToFile: string;
}

const ADDRESS = 'Address to listen on. A heap snapshot holds everything in memory: keep it on loopback.';

const NO_SUCH_PROFILE = 'V8 has no profile of blocking or of locks';

export const pprofConfigSchema = defineConfig<PprofConfig>(
  {
    server: squash(pageServerShape('localhost:1777', ADDRESS)),
    saveToFile: string('save_to_file', {
      default: '',
      doc: 'File that a CPU profile of the main thread is written to, from the start of the engine to its stop.',
    }),
  },
  undefined,
  [
    ignored(
      count('block_profile_fraction', { default: 0, doc: 'Share of blocking events.' }),
      NO_SUCH_PROFILE,
    ),
    ignored(count('mutex_profile_fraction', { default: 0, doc: 'Share of lock events.' }), NO_SUCH_PROFILE),
  ],
);
