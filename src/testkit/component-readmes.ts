/** The READMEs of components; run as a program it brings the tables of keys in them up to date. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyFactory } from '../component/factory.ts';
import { SECTION_OF_KIND } from '../config/components.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { readmeWithKeys } from '../service/configuration-markdown.ts';
import { CHECKOUT } from './source-tree.ts';

export interface ComponentReadme {
  file: string;
  factory: AnyFactory;
  /** Empty when the file is missing. */
  text: string;
}

export function readmesOf(factories: Iterable<AnyFactory>): ComponentReadme[] {
  return [...factories].map((factory) => {
    const file = join(CHECKOUT, 'src', SECTION_OF_KIND[factory.kind], factory.type, 'README.md');
    return { file, factory, text: existsSync(file) ? readFileSync(file, 'utf8') : '' };
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const { file, factory, text } of readmesOf(BUILTIN.values())) {
    const wanted = readmeWithKeys(text, factory);
    if (wanted === undefined) throw new Error(`${file} has no markers for its keys`);
    if (wanted !== text) writeFileSync(file, wanted);
  }
}
