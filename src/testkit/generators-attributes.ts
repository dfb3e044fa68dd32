/** Attribute and resource models shared by the three signals. */
import type { FieldValue, MessageModel, Patch } from './generators-schema.ts';
import { isPatch } from './generators-schema.ts';

export type AttributeValue = string | number | boolean | Patch | { readonly double: number };
export type AttributePair = readonly [key: string, value: AttributeValue];

function anyValue(value: AttributeValue): MessageModel {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return { intValue: value };
  if (isPatch(value as FieldValue)) return { stringValue: value as Patch };
  return { doubleValue: (value as { double: number }).double };
}

export function attributes(pairs: readonly AttributePair[]): MessageModel[] {
  return pairs.map(([key, value]) => ({ key, value: anyValue(value) }));
}

/** The services of the generated shop, in the order of their resources inside a request. */
export const SERVICES = ['frontend', 'orders', 'inventory', 'payments'] as const;

const LANGUAGES = ['nodejs', 'go', 'java', 'python'];

/** Who sent a request: enough to compare a client's ledger with what arrived anywhere. */
export interface Origin {
  readonly run: string;
  readonly producer: number;
}

/** Nine resource attributes: six of a Kubernetes workload, and the origin that a ledger is checked against. */
export function resourceModel(serviceIndex: number, origin: Origin): MessageModel {
  const service = SERVICES[serviceIndex % SERVICES.length] ?? 'frontend';
  return {
    attributes: attributes([
      ['service.name', service],
      ['service.namespace', 'shop'],
      ['service.version', `2.${serviceIndex}.14`],
      ['deployment.environment.name', 'production'],
      ['k8s.pod.name', `${service}-7d9f8b6c5-x${serviceIndex}k2p`],
      ['telemetry.sdk.language', LANGUAGES[serviceIndex % LANGUAGES.length] ?? 'go'],
      ['lt.run', origin.run],
      ['lt.producer', origin.producer],
      ['lt.seq', { kind: 'seqDigits', index: 0 }],
    ]),
  };
}

export interface Operation {
  readonly method: string;
  /** Route before the identifier, and the route template. */
  readonly path: string;
  readonly route: string;
  readonly table: string;
  readonly statusCode: number;
}

/** What users of the shop do. Four of them share a table, so names repeat as they do in real services. */
export const OPERATIONS: readonly Operation[] = [
  { method: 'GET', path: '/api/v1/orders/', route: '/api/v1/orders/{id}', table: 'orders', statusCode: 200 },
  {
    method: 'POST',
    path: '/api/v1/checkout/',
    route: '/api/v1/checkout/{id}',
    table: 'orders',
    statusCode: 201,
  },
  {
    method: 'GET',
    path: '/api/v1/products/',
    route: '/api/v1/products/{id}',
    table: 'products',
    statusCode: 200,
  },
  {
    method: 'GET',
    path: '/api/v1/carts/',
    route: '/api/v1/carts/{id}',
    table: 'cart_items',
    statusCode: 200,
  },
  {
    method: 'PUT',
    path: '/api/v1/carts/',
    route: '/api/v1/carts/{id}',
    table: 'cart_items',
    statusCode: 200,
  },
  {
    method: 'DELETE',
    path: '/api/v1/carts/',
    route: '/api/v1/carts/{id}',
    table: 'cart_items',
    statusCode: 204,
  },
  {
    method: 'GET',
    path: '/api/v1/profiles/',
    route: '/api/v1/profiles/{id}',
    table: 'customers',
    statusCode: 200,
  },
  {
    method: 'GET',
    path: '/api/v1/invoices/',
    route: '/api/v1/invoices/{id}',
    table: 'invoices',
    statusCode: 404,
  },
];
