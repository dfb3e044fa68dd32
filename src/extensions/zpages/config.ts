import { boolean, endpoint, ignored, refused, section } from '../../config/field-kinds.ts';
import { defineConfig, defineShape } from '../../config/schema.ts';

export interface ZpagesConfig {
  endpoint: string;
}

const expvarShape = defineShape({
  isEnabled: boolean('enabled', { default: false, doc: 'Whether Go serves its variables.' }),
});

export const zpagesConfigSchema = defineConfig<ZpagesConfig>(
  {
    endpoint: endpoint('endpoint', {
      accepts: 'host:port',
      default: 'localhost:55679',
      doc: 'Address to listen on.',
    }),
  },
  undefined,
  [
    ignored(section('expvar', expvarShape, { doc: 'Variables of a Go program.' }), 'this is no Go program'),
    refused('tls'),
    refused('auth'),
    refused('cors'),
  ],
);
