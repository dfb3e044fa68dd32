import { boolean, ignored, section, squash } from '../../config/field-kinds.ts';
import { defineConfig, defineShape } from '../../config/schema.ts';
import { type PageServerConfig, pageServerShape } from '../helper/page-config.ts';

export interface ZpagesConfig {
  server: PageServerConfig;
}

const expvarShape = defineShape({
  isEnabled: boolean('enabled', { default: false, doc: 'Whether Go serves its variables.' }),
});

export const zpagesConfigSchema = defineConfig<ZpagesConfig>(
  {
    server: squash(pageServerShape('localhost:55679')),
  },
  undefined,
  [ignored(section('expvar', expvarShape, { doc: 'Variables of a Go program.' }), 'this is no Go program')],
);
