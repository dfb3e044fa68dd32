/** `nop`: takes every batch and forgets it; for measuring, and for switching a pipeline off. */
import type { DeliveryConfig, ExporterFactory } from '../../component/factory.ts';
import { squash } from '../../config/field-kinds.ts';
import { defineConfig } from '../../config/schema.ts';
import { deliveryShape } from '../helper/config.ts';

export interface NopConfig {
  delivery: DeliveryConfig;
}

export const nopExporterFactory: ExporterFactory<NopConfig> = {
  kind: 'exporter',
  type: 'nop',
  stability: { traces: 'beta', metrics: 'beta', logs: 'beta' },
  configSchema: defineConfig<NopConfig>({ delivery: squash(deliveryShape()) }),
  create: () => ({
    start: async () => {},
    shutdown: async () => {},
    export: async () => {},
  }),
  delivery: (config) => config.delivery,
};
