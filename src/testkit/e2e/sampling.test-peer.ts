/** Engines that sample: a configuration, and which ledger traces it keeps, worked out apart from the engine. */
import { type EnginePorts, engineConfig } from '../engine-process.ts';

const PERCENTAGE = 50;

export function samplingConfig(
  ports: EnginePorts,
  exporters: Record<string, unknown>,
  options: Record<string, unknown> = {},
): string {
  const config = JSON.parse(engineConfig(ports, exporters, { signals: ['traces'] }));
  config.processors = {
    tail_sampling: {
      decision_wait: '400ms',
      num_traces: 200_000,
      policies: [{ name: 'half', type: 'probabilistic', probabilistic: { sampling_percentage: PERCENTAGE } }],
      ...options,
    },
  };
  config.service.pipelines.traces.processors = ['tail_sampling'];
  return JSON.stringify(config);
}

/** FNV-1a of 64 bits over the Collector's default salt and the trace id, against a share of all values. */
export function isKept(key: string): boolean {
  const [producer, sequence, span] = key.split('/').map(Number) as [number, number, number];
  const id = Buffer.alloc(16);
  id.writeUInt32BE(producer + 1, 0);
  id.writeUInt32BE(sequence, 4);
  id.writeUInt32BE(span, 8);
  id.writeUInt32BE(0x6d69_6c6c, 12);
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of Buffer.concat([Buffer.from('default-hash-seed'), id]))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  return hash <= (2n ** 64n - 1n) / (100n / BigInt(PERCENTAGE));
}
