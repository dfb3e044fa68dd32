/** The registry of every component of this build, for whoever shows or checks them all. */
import { COMPONENTS } from './components.ts';
import { loadComponents } from './load.ts';

export const BUILTIN = await loadComponents(COMPONENTS);
