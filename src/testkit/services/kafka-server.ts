/** A real Kafka broker (KRaft; one node, or one of kafka-cluster.ts) on ports of its own: kill it, start it again on the same data, look at its topics. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, until } from '../engine-process.ts';
import { answersKafka, createTopic, deleteTopic, listOffsets } from './kafka-wire.ts';
import { installProgram } from './programs.ts';
import { ServiceProcess } from './service-process.ts';

const run = promisify(execFile);
/** Compiled once and cheaply: a broker that lives for a test never earns back what the optimising compiler costs. */
const JVM_FLAGS = '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';
/** Three of them share the machine with what they are tested with. */
const NODE_JVM_FLAGS = '-Xmx256m';
const NODE_START_MS = 120_000;
/** One for clients, and by the script the next one for the nodes themselves. */
export const PORTS_PER_NODE = 2;
const STARTED = 'Kafka Server started';

export interface KafkaTls {
  /** PEM: the broker's certificate and key, and the authority that client certificates are checked with. */
  cert: string;
  key: string;
  ca: string;
  requiresClientCertificate?: boolean;
}

/** Users by name, each with a password. */
export type KafkaUsers = Record<string, string>;

export interface KafkaSasl {
  PLAIN?: KafkaUsers;
  'SCRAM-SHA-256'?: KafkaUsers;
  'SCRAM-SHA-512'?: KafkaUsers;
  /** Takes unsecured tokens (RFC 7515 appendix A.5, `alg` none) of any subject. */
  OAUTHBEARER?: boolean;
}

export interface KafkaOptions {
  /** Adds a listener with TLS, and one with TLS and SASL when there is `sasl`. */
  tls?: KafkaTls;
  /** Adds a listener with SASL and without TLS. */
  sasl?: KafkaSasl;
  /** Settings of the broker, which win over those of the script. */
  properties?: Record<string, string>;
  /** Instead of a directory of its own, which it deletes at the end. */
  directory?: string;
  /** One of three: its number from 1, and the port of the first, from which all others follow. */
  node?: { number: number; clusterPort: number };
}

/** What tests of clients need to know of one broker or of several. */
export interface KafkaBrokers {
  /** `host:port`, several with commas between them; without TLS and authentication. */
  readonly bootstrap: string;
  /** The next offset of each partition, the count of its records when none was deleted. */
  endOffsets(topic: string, partitions: number): Promise<number[]>;
}

/** Addresses as clients take them; each listener serves the same topics. */
export interface KafkaListeners {
  plaintext: string;
  tls?: string;
  sasl?: string;
  saslTls?: string;
}

export class KafkaServer implements KafkaBrokers {
  readonly bootstrap: string;
  readonly listeners: KafkaListeners;
  readonly port: number;
  readonly #directory: string;
  readonly #isTemporary: boolean;
  readonly #node: KafkaOptions['node'];
  #process: ServiceProcess | undefined;

  private constructor(port: number, listeners: KafkaListeners, directory: string, options: KafkaOptions) {
    this.port = port;
    this.listeners = listeners;
    this.bootstrap = listeners.plaintext;
    this.#directory = directory;
    this.#isTemporary = options.directory === undefined;
    this.#node = options.node;
  }

  /** @throws Error with the broker's output when it does not start. */
  static async start(options: KafkaOptions = {}): Promise<KafkaServer> {
    await installProgram('kafka');
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'millrace-kafka-'));
    const { node } = options;
    const port =
      node === undefined ? await freePortWithNext() : node.clusterPort + PORTS_PER_NODE * (node.number - 1);
    const listeners = await chooseListeners(port, options);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'extra.properties'), properties(port, listeners, options));
    writeFileSync(join(directory, 'scram-users'), scramUsers(options.sasl ?? {}));
    const server = new KafkaServer(port, listeners, directory, options);
    await server.startProcess();
    return server;
  }

  /** Starts it on its directory and its ports, after `kill`. */
  async startProcess(): Promise<void> {
    this.#process = await ServiceProcess.start({
      name: 'kafka',
      directory: this.#directory,
      ...(this.#node === undefined
        ? { port: this.port, env: { KAFKA_JVM_FLAGS: JVM_FLAGS } }
        : {
            port: this.#node.clusterPort,
            args: [String(this.#node.number)],
            env: { KAFKA_JVM_FLAGS: `${JVM_FLAGS} ${NODE_JVM_FLAGS}` },
            timeoutMs: NODE_START_MS,
          }),
      isReady: async ({ log }) => log.includes(STARTED) && (await answersKafka(this.port)),
    });
  }

  get pid(): number {
    return this.#process!.child.pid!;
  }

  /** What the broker wrote since its last start: warnings and errors. */
  get log(): string {
    return this.#process?.log ?? '';
  }

  /** Ends the broker, by default as a power cut would; its data stays for `startProcess`. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.kill(signal);
  }

  /** Stops it while clients keep their connections and wait, until `resume`. */
  pause(): void {
    this.#process!.child.kill('SIGSTOP');
  }

  resume(): void {
    this.#process!.child.kill('SIGCONT');
  }

  /** Ends the broker and deletes its data. */
  async stop(): Promise<void> {
    await this.kill();
    if (this.#isTemporary) rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Returns when every partition takes records. */
  async createTopic(topic: string, partitions = 4, settings: Record<string, string> = {}): Promise<void> {
    await createTopic(this.port, topic, partitions, settings);
    await until(`leaders of ${topic}`, async () =>
      listOffsets(this.port, topic, partitions, 'latest').then(
        () => true,
        () => false,
      ),
    );
  }

  async deleteTopic(topic: string): Promise<void> {
    await deleteTopic(this.port, topic);
  }

  async endOffsets(topic: string, partitions = 4): Promise<number[]> {
    return listOffsets(this.port, topic, partitions, 'latest');
  }

  /**
   * Runs a command-line program of Kafka's distribution, for example `org.apache.kafka.tools.ConsumerGroupCommand`.
   *
   * @returns what it wrote to stdout.
   * @throws Error with what it wrote to stderr when it fails.
   */
  async tool(className: string, args: readonly string[]): Promise<string> {
    const libs = join(await installProgram('kafka'), 'libs', '*');
    const { stdout } = await run(
      'java',
      [
        '-XX:TieredStopAtLevel=1',
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
        '-cp',
        libs,
        className,
        ...args,
      ],
      { timeout: 60_000, maxBuffer: 1 << 28 },
    );
    return stdout;
  }
}

/** The script gives the node's own listener the next port. */
async function freePortWithNext(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if ((await freePort()) === port + 1) return port;
  }
}

async function chooseListeners(port: number, { tls, sasl }: KafkaOptions): Promise<KafkaListeners> {
  const address = async (): Promise<string> => `127.0.0.1:${await freePort()}`;
  return {
    plaintext: `127.0.0.1:${port}`,
    ...(tls !== undefined && { tls: await address() }),
    ...(sasl !== undefined && { sasl: await address() }),
    ...(tls !== undefined && sasl !== undefined && { saslTls: await address() }),
  };
}

const PROTOCOLS: readonly [keyof KafkaListeners, string][] = [
  ['plaintext', 'PLAINTEXT'],
  ['tls', 'SSL'],
  ['sasl', 'SASL_PLAINTEXT'],
  ['saslTls', 'SASL_SSL'],
];

function properties(port: number, listeners: KafkaListeners, options: KafkaOptions): string {
  const used = PROTOCOLS.filter(([name]) => listeners[name] !== undefined);
  const addresses = used.map(([name, protocol]) => `${protocol}://${listeners[name]}`);
  const settings: Record<string, string> = {
    listeners: [...addresses, `CONTROLLER://127.0.0.1:${port + 1}`].join(','),
    'listener.security.protocol.map': [
      'CONTROLLER:PLAINTEXT',
      ...used.map(([, protocol]) => `${protocol}:${protocol}`),
    ].join(','),
    ...(options.tls && tlsSettings(options.tls)),
    ...(options.sasl &&
      saslSettings(
        options.sasl,
        used.map(([, protocol]) => protocol),
      )),
    ...options.properties,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value.trim().replaceAll('\n', '\\n')}\n`)
    .join('');
}

function tlsSettings({ cert, key, ca, requiresClientCertificate }: KafkaTls): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': cert,
    'ssl.keystore.key': key,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': ca,
    'ssl.client.auth': requiresClientCertificate === true ? 'required' : 'none',
  };
}

const SECURITY = 'org.apache.kafka.common.security';

function saslSettings(sasl: KafkaSasl, protocols: readonly string[]): Record<string, string> {
  const users = Object.entries(sasl.PLAIN ?? {}).map(([name, password]) => ` user_${name}="${password}"`);
  const modules: Record<keyof KafkaSasl, string> = {
    PLAIN: `${SECURITY}.plain.PlainLoginModule required${users.join('')};`,
    'SCRAM-SHA-256': `${SECURITY}.scram.ScramLoginModule required;`,
    'SCRAM-SHA-512': `${SECURITY}.scram.ScramLoginModule required;`,
    OAUTHBEARER: `${SECURITY}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
  };
  const mechanisms = Object.keys(sasl) as (keyof KafkaSasl)[];
  const settings: Record<string, string> = { 'sasl.enabled.mechanisms': mechanisms.join(',') };
  for (const protocol of protocols.filter((name) => name.startsWith('SASL'))) {
    for (const mechanism of mechanisms) {
      const prefix = `listener.name.${protocol.toLowerCase()}.${mechanism.toLowerCase()}`;
      settings[`${prefix}.sasl.jaas.config`] = modules[mechanism];
    }
  }
  return settings;
}

function scramUsers(sasl: KafkaSasl): string {
  return (['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)
    .flatMap((mechanism) =>
      Object.entries(sasl[mechanism] ?? {}).map(
        ([name, password]) => `${mechanism}=[name=${name},password=${password}]\n`,
      ),
    )
    .join('');
}
