/**
 * The deployment files of configs/scalable hang together: what one of them names, another one has. A cluster or Docker
 * would say the same, later. The configurations of the engine are checked in configs.test.ts.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { CHECKOUT } from './source-tree.ts';

const SCALABLE = join(CHECKOUT, 'configs', 'scalable');
const read = (file: string): string => readFileSync(join(SCALABLE, file), 'utf8');

/** As much of a manifest as is looked at. */
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  spec: {
    serviceName?: string;
    replicas?: number;
    selector: Record<string, string> & { matchLabels?: Record<string, string> };
    ports?: { name: string; port: number; targetPort: string }[];
    template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    volumeClaimTemplates?: { metadata: { name: string } }[];
  };
}

interface PodSpec {
  containers: {
    image: string;
    args?: string[];
    ports: { name: string; containerPort: number }[];
    env?: { name: string; value?: string }[];
    envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
    volumeMounts: { name: string; mountPath: string }[];
    readinessProbe: { httpGet?: { port: string }; tcpSocket?: { port: string } };
  }[];
  volumes: { name: string; configMap?: { name: string } }[];
}

interface Kustomization {
  resources: string[];
  configMapGenerator: { name: string; files: string[] }[];
  images: { name: string }[];
}

const kustomization = parse(read('kustomization.yaml')) as Kustomization;
const manifests = kustomization.resources.flatMap((file) =>
  parseAllDocuments(read(file)).map((document) => {
    assert.deepEqual(document.errors, [], file);
    return document.toJS() as Manifest;
  }),
);
const ofKind = (...kinds: string[]): Manifest[] => manifests.filter(({ kind }) => kinds.includes(kind));
const workloads = ofKind('Deployment', 'StatefulSet');
const named = (kind: string, name: string): Manifest => {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
  assert.ok(found, `there is no ${kind} ${name}`);
  return found;
};
const container = (manifest: Manifest) => manifest.spec.template.spec.containers[0]!;
/** Names of variables that a text reads: `${env:NAME...}` of ours, `${NAME...}` of HAProxy. */
const variablesOf = (text: string): string[] =>
  [...text.matchAll(/\$\{(?:env:)?([A-Z0-9_]+)/g)].map((match) => match[1]!);

test('every manifest says what it is, and no two are the same', () => {
  assert.ok(manifests.length >= 10, `${manifests.length} manifests`);
  for (const { apiVersion, kind, metadata } of manifests) assert.ok(apiVersion && kind && metadata.name);
  const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  assert.equal(new Set(names).size, names.length);
});

test('selectors find the pods that they are meant for', () => {
  const labels = workloads.map(({ spec }) => spec.template.metadata.labels);
  const finds = (selector: Record<string, string>): number =>
    labels.filter((label) => Object.entries(selector).every(([key, value]) => label[key] === value)).length;
  for (const { kind, metadata, spec } of [...workloads, ...ofKind('Service', 'PodDisruptionBudget')]) {
    const selector = spec.selector.matchLabels ?? spec.selector;
    assert.equal(finds(selector), 1, `${kind} ${metadata.name}`);
  }
  for (const { spec } of ofKind('StatefulSet')) named('Service', spec.serviceName!);
});

test('ports, volumes, maps and secrets that are named are there', () => {
  const generated = kustomization.configMapGenerator.map(({ name }) => name);
  for (const { kind, metadata, spec } of workloads) {
    const place = `${kind} ${metadata.name}`;
    const { containers, volumes } = spec.template.spec;
    const claimed = (spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata.name);
    const volumeNames = [...volumes.map(({ name }) => name), ...claimed];
    for (const { ports, volumeMounts, readinessProbe, envFrom = [] } of containers) {
      const portNames = ports.map(({ name }) => name);
      const probed = (readinessProbe.httpGet ?? readinessProbe.tcpSocket)!.port;
      assert.ok(portNames.includes(probed), `${place}: no port ${probed}`);
      for (const { name } of volumeMounts)
        assert.ok(volumeNames.includes(name), `${place}: no volume ${name}`);
      for (const { configMapRef, secretRef } of envFrom)
        named(configMapRef ? 'ConfigMap' : 'Secret', (configMapRef ?? secretRef)!.name);
    }
    for (const { configMap } of volumes)
      if (configMap !== undefined)
        assert.ok(generated.includes(configMap.name), `${place}: ${configMap.name}`);
  }
  for (const { metadata, spec } of ofKind('Service')) {
    const pods = workloads.find(
      ({ spec: { template } }) =>
        template.metadata.labels['app.kubernetes.io/name'] === spec.selector['app.kubernetes.io/name'],
    )!;
    const portNames = container(pods).ports.map(({ name }) => name);
    for (const { targetPort } of spec.ports!)
      assert.ok(portNames.includes(targetPort), `Service ${metadata.name}: no port ${targetPort}`);
  }
});

test('an engine has the disk that it needs, its configuration, and every variable that the configuration reads', () => {
  const generatedFiles = kustomization.configMapGenerator.flatMap(({ files }) => files);
  for (const file of [...generatedFiles, ...kustomization.resources])
    assert.ok(existsSync(join(SCALABLE, file)), file);
  const image = kustomization.images[0]!.name;
  for (const tier of ['gateway', 'processor']) {
    const manifest = named('StatefulSet', tier);
    assert.equal(container(manifest).image, image);
    assert.deepEqual(container(manifest).args, ['--config', `/etc/millrace/${tier}.yaml`]);
    const mounted = new Map(container(manifest).volumeMounts.map(({ name, mountPath }) => [mountPath, name]));
    assert.equal(mounted.get('/data'), manifest.spec.volumeClaimTemplates![0]!.metadata.name);
    assert.equal(mounted.get('/etc/millrace'), 'config');
    const text = read(`${tier}.yaml`);
    const settings = { ...named('ConfigMap', 'millrace-settings').data };
    const secrets = { ...named('Secret', 'millrace-secrets').stringData };
    const known = [settings, secrets].flatMap(Object.keys).concat('PROCESSOR_NAME');
    // Addresses to listen on, and what only another S3 than Amazon's needs, have values that fit.
    const own = /^(HEALTH|OTLP_GRPC|OTLP_HTTP)_ENDPOINT$|^METRICS_|^S3_FORCE_PATH_STYLE$/;
    const unset = variablesOf(text).filter((name) => !known.includes(name) && !own.test(name));
    assert.deepEqual(unset, [], tier);
  }
});

test('HAProxy knows every gateway by the name that its pod, or its container, will have', () => {
  const text = read('haproxy.cfg');
  const replicas = named('StatefulSet', 'gateway').spec.replicas!;
  const env = new Map(container(named('Deployment', 'haproxy')).env!.map(({ name, value }) => [name, value]));
  const { services } = parse(read('compose.yaml'), { merge: true }) as Compose;
  for (let gateway = 1; gateway <= replicas; gateway++) {
    assert.equal(text.split(`server gateway-${gateway} `).length, 3, `gateway-${gateway} in both backends`);
    assert.equal(env.get(`GATEWAY_${gateway}`), `gateway-${gateway - 1}.gateway`);
    assert.ok(services[`gateway-${gateway}`], `gateway-${gateway} in compose.yaml`);
  }
  assert.ok(!text.includes(`server gateway-${replicas + 1} `));
});

interface Compose {
  services: Record<
    string,
    {
      image: string;
      command?: string[];
      environment?: Record<string, string>;
      volumes?: string[];
      depends_on?: string[] | Record<string, unknown>;
    }
  >;
  volumes: Record<string, unknown>;
}

test('compose.yaml: services, volumes and files that are named are there, and each processor has its own name', () => {
  const { services, volumes } = parse(read('compose.yaml'), { merge: true }) as Compose;
  const processors: (string | undefined)[] = [];
  for (const [name, service] of Object.entries(services)) {
    const needed = service.depends_on ?? [];
    for (const other of Array.isArray(needed) ? needed : Object.keys(needed))
      assert.ok(services[other], `${name} needs ${other}`);
    for (const mount of service.volumes ?? []) {
      const source = mount.split(':')[0]!;
      const isThere = source.startsWith('.') ? existsSync(join(SCALABLE, source)) : source in volumes;
      assert.ok(isThere, `${name}: no volume ${source}`);
    }
    const config = service.command?.[1];
    if (service.command?.[0] !== '--config') continue;
    assert.equal(dirname(config!), 'configs/scalable');
    assert.ok(existsSync(join(CHECKOUT, config!)), config);
    assert.ok(
      service.volumes?.some((mount) => mount.endsWith(':/data')),
      `${name} has no disk of its own`,
    );
    if (config!.endsWith('processor.yaml')) processors.push(service.environment?.PROCESSOR_NAME);
  }
  assert.equal(processors.length, 2);
  assert.equal(new Set(processors).size, 2);
});
