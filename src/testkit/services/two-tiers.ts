/**
 * Two gateways behind HAProxy, Kafka, two processors: the files of configs/scalable on one machine, on ports and
 * directories of their own. What the processors keep goes to a file of each, instead of ClickHouse and S3.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineProcess, freePort, metricSum } from '../engine-process.ts';
import { CHECKOUT } from '../source-tree.ts';
import { HaproxyServer } from './haproxy-server.ts';
import { KafkaServer } from './kafka-server.ts';

const TOPIC = 'otlp_spans';
const PARTITIONS = 4;
const SCALABLE = join(CHECKOUT, 'configs', 'scalable');

/** One engine, started again on the same ports and directory. */
export class TierEngine {
  readonly metricsPort: number;
  readonly #configFile: string;
  readonly #dataDir: string;
  readonly #env: Record<string, string>;
  readonly #flags: readonly string[];
  #process: EngineProcess | undefined;

  constructor(
    configFile: string,
    dataDir: string,
    metricsPort: number,
    env: Record<string, string>,
    flags: readonly string[] = [],
  ) {
    this.metricsPort = metricsPort;
    this.#configFile = configFile;
    this.#dataDir = dataDir;
    this.#env = env;
    this.#flags = flags;
  }

  get process(): EngineProcess {
    return this.#process!;
  }

  async start(): Promise<void> {
    this.#process = await EngineProcess.start(
      {
        config: '',
        configFile: this.#configFile,
        dataDir: this.#dataDir,
        env: this.#env,
        flags: this.#flags,
      },
      60_000,
    );
  }

  async metric(name: string, ...labels: string[]): Promise<number> {
    return metricSum(await this.process.metrics(this.metricsPort), name, labels);
  }

  async stop(): Promise<void> {
    if (this.#process?.hasExited === false) await this.#process.kill();
  }
}

interface Ports {
  http: number;
  grpc: number;
  health: number;
  metrics: number;
}

const choosePorts = async (): Promise<Ports> => ({
  http: await freePort(),
  grpc: await freePort(),
  health: await freePort(),
  metrics: await freePort(),
});

export class TwoTiers {
  readonly kafka: KafkaServer;
  readonly gateways: TierEngine[] = [];
  readonly processors: TierEngine[] = [];
  /** Where clients send, behind HAProxy. */
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly directory: string;
  #haproxy: HaproxyServer | undefined;

  private constructor(kafka: KafkaServer, httpPort: number, grpcPort: number, directory: string) {
    this.kafka = kafka;
    this.httpPort = httpPort;
    this.grpcPort = grpcPort;
    this.directory = directory;
  }

  /** @param sampling keys of `tail_sampling` that win over those of processor.yaml. */
  static async start(sampling: Record<string, unknown>): Promise<TwoTiers> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-tiers-'));
    const kafka = await KafkaServer.start({ properties: { 'auto.create.topics.enable': 'false' } });
    const tiers = new TwoTiers(kafka, await freePort(), await freePort(), directory);
    try {
      for (const topic of [TOPIC, 'otlp_metrics', 'otlp_logs']) await kafka.createTopic(topic, PARTITIONS);
      const gatewayPorts = [await choosePorts(), await choosePorts()];
      for (const [index, ports] of gatewayPorts.entries()) tiers.#addGateway(index + 1, ports);
      for (const index of [0, 1]) await tiers.#addProcessor(index, sampling);
      await Promise.all([...tiers.gateways, ...tiers.processors].map(async (engine) => engine.start()));
      await tiers.#startHaproxy(gatewayPorts);
      return tiers;
    } catch (error) {
      await tiers.stop();
      throw error;
    }
  }

  /** File into which a processor delivers what it keeps. */
  kept(processor: number): string {
    return join(this.directory, `kept-${processor}`);
  }

  /** What HAProxy's administration answers, for example to `set server http/gateway-1 state drain`. */
  async haproxy(command: string): Promise<string> {
    let answer = '';
    try {
      const socket = connect(join(this.directory, 'haproxy.sock'));
      socket.end(`${command}\n`);
      for await (const chunk of socket as AsyncIterable<Buffer>) answer += chunk.toString();
    } catch (error) {
      const { exitCode, signalCode } = this.#haproxy!.child;
      throw new Error(
        `${(error as Error).message}, exit ${exitCode}, signal ${signalCode}\n${this.#haproxy!.log}`,
      );
    }
    return answer.trim();
  }

  async stop(): Promise<void> {
    await this.#haproxy?.stop();
    await Promise.all([...this.gateways, ...this.processors].map(async (engine) => engine.stop()));
    await this.kafka.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #environment(ports: Pick<Ports, 'health' | 'metrics'>): Record<string, string> {
    return {
      KAFKA_BROKERS: `[${this.kafka.bootstrap}]`,
      HEALTH_ENDPOINT: `127.0.0.1:${ports.health}`,
      METRICS_HOST: '127.0.0.1',
      METRICS_PORT: String(ports.metrics),
    };
  }

  #addGateway(number: number, ports: Ports): void {
    const env = {
      ...this.#environment(ports),
      OTLP_HTTP_ENDPOINT: `127.0.0.1:${ports.http}`,
      OTLP_GRPC_ENDPOINT: `127.0.0.1:${ports.grpc}`,
    };
    const dataDir = join(this.directory, `gateway-${number}`);
    this.gateways.push(new TierEngine(join(SCALABLE, 'gateway.yaml'), dataDir, ports.metrics, env));
  }

  async #addProcessor(index: number, sampling: Record<string, unknown>): Promise<void> {
    const ports = { health: await freePort(), metrics: await freePort() };
    const env = { ...this.#environment(ports), PROCESSOR_NAME: `processor-${index}` };
    const overlay = {
      processors: { tail_sampling: sampling },
      exporters: { file: { path: this.kept(index), format: 'proto', append: true }, nop: {} },
      service: {
        pipelines: {
          traces: { exporters: ['file'] },
          metrics: { exporters: ['nop'] },
          logs: { exporters: ['nop'] },
        },
      },
    };
    const flags = ['--config', `yaml:${JSON.stringify(overlay)}`];
    const dataDir = join(this.directory, `processor-${index}`);
    this.processors.push(
      new TierEngine(join(SCALABLE, 'processor.yaml'), dataDir, ports.metrics, env, flags),
    );
  }

  async #startHaproxy(gateways: readonly Ports[]): Promise<void> {
    const env: Record<string, string> = {
      HTTP_BIND: `127.0.0.1:${this.httpPort}`,
      GRPC_BIND: `127.0.0.1:${this.grpcPort}`,
      HAPROXY_SOCKET: join(this.directory, 'haproxy.sock'),
    };
    for (const [index, { http, grpc, health }] of gateways.entries()) {
      env[`GATEWAY_${index + 1}`] = '127.0.0.1';
      env[`GATEWAY_${index + 1}_HTTP`] = String(http);
      env[`GATEWAY_${index + 1}_GRPC`] = String(grpc);
      env[`GATEWAY_${index + 1}_HEALTH`] = String(health);
    }
    const config = readFileSync(join(SCALABLE, 'haproxy.cfg'), 'utf8');
    this.#haproxy = await HaproxyServer.start(config, this.httpPort, env);
  }
}
