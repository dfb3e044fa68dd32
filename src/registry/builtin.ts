/** Every component of this build: one line each, the only file that names them all. */
import { nopExporterFactory } from '../exporters/nop/factory.ts';
import { otlpReceiverFactory } from '../receivers/otlp/factory.ts';
import { createRegistry } from './registry.ts';

export const BUILTIN = createRegistry([otlpReceiverFactory, nopExporterFactory]);
