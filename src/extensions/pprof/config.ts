import { count, endpoint, ignored, refused } from '../../config/field-kinds.ts';
import { defineConfig } from '../../config/schema.ts';

export interface PprofConfig {
  endpoint: string;
}

const NO_SUCH_PROFILE = 'V8 has no profile of blocking or of locks';

export const pprofConfigSchema = defineConfig<PprofConfig>(
  {
    endpoint: endpoint('endpoint', {
      accepts: 'host:port',
      default: 'localhost:1777',
      doc: 'Address to listen on. A heap snapshot holds everything in memory: keep it on loopback.',
    }),
  },
  undefined,
  [
    ignored(
      count('block_profile_fraction', { default: 0, doc: 'Share of blocking events.' }),
      NO_SUCH_PROFILE,
    ),
    ignored(count('mutex_profile_fraction', { default: 0, doc: 'Share of lock events.' }), NO_SUCH_PROFILE),
    refused('save_to_file', 'is not supported yet; fetch /debug/pprof/profile instead'),
    refused('tls'),
    refused('auth'),
    refused('cors'),
  ],
);
