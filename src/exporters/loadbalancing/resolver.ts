/** Who the backends are: a list, or the addresses of a name that are looked up again and again. */
import { lookup } from 'node:dns/promises';
import type { ComponentSettings, Counter, Gauge, Logger } from '../../component/settings.ts';
import type { DnsResolverConfig, LoadBalancingConfig } from './config.ts';

/** Addresses of a name, IPv4 and IPv6. */
export type LookUp = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

export class Resolver {
  readonly #dns: DnsResolverConfig | undefined;
  readonly #onChange: (endpoints: readonly string[]) => Promise<void>;
  readonly #logger: Logger;
  readonly #lookUp: LookUp;
  readonly #resolutions: Counter;
  readonly #failures: Counter;
  readonly #updates: Counter;
  readonly #backends: Gauge;
  #endpoints: readonly string[];
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  /** @param onChange gets names as the ring takes them: sorted, each once. */
  constructor(
    { logger, meter }: ComponentSettings,
    { resolver }: LoadBalancingConfig,
    onChange: (endpoints: readonly string[]) => Promise<void>,
    lookUp: LookUp = (hostname) => lookup(hostname, { all: true }),
  ) {
    this.#dns = resolver.dns;
    this.#endpoints = resolver.static?.hostnames ?? [];
    this.#onChange = onChange;
    this.#logger = logger;
    this.#lookUp = lookUp;
    const labels = { resolver: resolver.dns === undefined ? 'static' : 'dns' };
    const counted = 'otelcol_loadbalancer_num_resolutions';
    this.#resolutions = meter.counter(counted, { ...labels, success: 'true' });
    this.#failures = meter.counter(counted, { ...labels, success: 'false' });
    this.#updates = meter.counter('otelcol_loadbalancer_num_backend_updates', labels);
    this.#backends = meter.gauge('otelcol_loadbalancer_num_backends', labels);
  }

  /** A name that cannot be resolved now is looked up again: data waits in the log meanwhile. */
  async start(): Promise<void> {
    if (this.#dns === undefined) {
      this.#resolutions.add(1);
      await this.#changeTo(this.#endpoints);
      return;
    }
    await this.#look(this.#dns);
    this.#timer = setInterval(() => void this.#look(this.#dns!), this.#dns.intervalMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look({ hostname, port, timeoutMs }: DnsResolverConfig): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const found = await within(this.#lookUp(hostname), timeoutMs);
      this.#resolutions.add(1);
      const endpoints = found.map(({ address, family }) => {
        const host = family === 6 ? `[${address}]` : address;
        return port === '' ? host : `${host}:${port}`;
      });
      const next = sortedOnce(endpoints);
      if (next.join() !== sortedOnce(this.#endpoints).join()) await this.#changeTo(next);
    } catch (error) {
      this.#failures.add(1);
      this.#logger.warn('backends cannot be resolved, those of before stay', {
        hostname,
        error: error instanceof Error ? error.message : String(error),
      });
    } finally {
      this.#isLooking = false;
    }
  }

  async #changeTo(endpoints: readonly string[]): Promise<void> {
    const next = sortedOnce(endpoints);
    await this.#onChange(next);
    this.#endpoints = next;
    this.#updates.add(1);
    this.#backends.set(this.#endpoints.length);
  }
}

/** In the order of their bytes, as the ring needs it. */
function sortedOnce(endpoints: readonly string[]): string[] {
  return [...new Set(endpoints)].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
