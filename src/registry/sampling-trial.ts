/** Dry runs of `tail_sampling`, for whoever has a configuration that its factory parsed. */
import type { SamplingTrial, TrialOptions } from '../component/sampling-trial.ts';
import type { ComponentSettings } from '../component/settings.ts';
import type { TailSamplingConfig } from '../processors/tail_sampling/config.ts';
import { tailSamplingProcessorFactory } from '../processors/tail_sampling/factory.ts';
import { isJournalEntry } from '../processors/tail_sampling/journal.ts';

/** The type of processor whose policies can be tried. */
export const TRIAL_TYPE = tailSamplingProcessorFactory.type;
export const trialConfigSchema = tailSamplingProcessorFactory.configSchema;

/** Whether an entry of a pending log is the sampler's own; requests never are. */
export function isTrialJournal(entry: Uint8Array): boolean {
  return isJournalEntry(entry);
}

/** What the report shows of such a configuration. */
export type TrialConfig = Pick<TailSamplingConfig, 'decisionWaitMs' | 'numTraces'> & {
  policies: readonly { name: string; type: string }[];
};

/**
 * @param configs one or two values that the type's `configSchema` gave; they may have come through a message to
 * another thread.
 */
export async function createSamplingTrial(
  settings: ComponentSettings,
  configs: readonly TrialConfig[],
  options: TrialOptions,
): Promise<SamplingTrial> {
  const { createTrial } = await loadSamplingTrial();
  return createTrial(settings, configs as readonly TailSamplingConfig[], options);
}

/** Loads what a trial needs, for threads that wait for something else meanwhile. */
export function loadSamplingTrial(): Promise<typeof import('../processors/tail_sampling/trial/trial.ts')> {
  return import('../processors/tail_sampling/trial/trial.ts');
}
