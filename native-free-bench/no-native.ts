/**
 * Imported before everything else: from here on a native add-on cannot be loaded. Figures of these benches are of
 * JavaScript alone, so they hold on every platform and do not move with a binary.
 */
process.dlopen = (_module: object, filename: string): void => {
  throw new Error(`native add-on in a native-free bench: ${filename}`);
};
