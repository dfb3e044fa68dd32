/** The tables as one JSON Schema (draft 7), with which editors complete and check a configuration. */
import type { AnyFactory, ComponentKind } from '../component/factory.ts';
import { SIGNALS } from '../component/signal.ts';
import { SECTION_OF_KIND } from './components.ts';
import { spellingOf } from './known-components.ts';
import { pipelineSchema } from './pipelines.ts';
import { type Field, type JsonSchema, type LeafField, type OtherKey, type Shape, shapeOf } from './schema.ts';
import { telemetryShape } from './telemetry-config.ts';

/**
 * Whatever the loader takes is valid, with a few exceptions that no file has: keys are what it is strict about, and
 * rules between keys are not in it. Every value may be null (its default) or a reference `${...}`.
 */
export function configJsonSchema(factories: Iterable<AnyFactory>): JsonSchema {
  const all = [...factories];
  const definitions: Record<string, JsonSchema> = {};
  const sections: Record<string, JsonSchema> = {};
  for (const kind of Object.keys(SECTION_OF_KIND) as ComponentKind[]) {
    const section = SECTION_OF_KIND[kind];
    const ofKind = all
      .filter((factory) => factory.kind === kind)
      .toSorted((a, b) => (a.type < b.type ? -1 : 1));
    const patterns: Record<string, JsonSchema> = {};
    for (const { type, configSchema } of ofKind) {
      definitions[`${kind}.${type}`] = mapSchema(shapeOf(configSchema), `${kind} \`${type}\``);
      patterns[idPattern([type, spellingOf(kind, type).other])] = { $ref: `#/definitions/${kind}.${type}` };
    }
    const description = `The ${section}, by id: \`type\` or \`type/name\`.`;
    sections[section] = { ...MAP, description, patternProperties: patterns, additionalProperties: false };
  }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of millrace, in the form of the OpenTelemetry Collector',
    ...MAP,
    properties: { ...sections, service: serviceSchema() },
    // `service::telemetry::logs::level` stands for nested maps.
    patternProperties: { '::': {} },
    additionalProperties: false,
    definitions,
  };
}

const REFERENCE = { type: 'string', pattern: '\\$\\{' };
/** A map may be a reference, too: its pattern says nothing about maps. */
const MAP = { type: ['object', 'null', 'string'], pattern: REFERENCE.pattern };

function serviceSchema(): JsonSchema {
  const pipelines = {
    ...MAP,
    description: 'What feeds what: `signal` or `signal/name` to a pipeline.',
    patternProperties: { [idPattern(SIGNALS)]: mapSchema(shapeOf(pipelineSchema), 'A pipeline.') },
    additionalProperties: false,
  };
  const extensions = {
    type: ['array', 'string', 'null'],
    items: { type: 'string' },
    description: 'Ids of the extensions to start, in this order.',
  };
  return {
    ...MAP,
    description: 'What runs.',
    properties: {
      extensions,
      pipelines,
      telemetry: mapSchema(telemetryShape, "The engine's own telemetry."),
    },
    additionalProperties: false,
  };
}

function idPattern(types: readonly (string | undefined)[]): string {
  return `^\\s*(${types.filter((type) => type !== undefined).join('|')})\\s*(/.+)?$`;
}

function mapSchema(shape: Shape<unknown>, description: string, isOptional = false): JsonSchema {
  const properties = Object.fromEntries(propertiesOf(shape));
  const required = requiredOf(shape);
  const switched = isOptional && !Object.hasOwn(properties, 'enabled');
  const enabled = { enabled: anyOf({ type: 'boolean' }, 'false is as if the section were absent.') };
  return {
    ...MAP,
    description,
    properties: switched ? { ...enabled, ...properties } : properties,
    additionalProperties: false,
    // A section that is switched off needs nothing.
    ...(required.length === 0 || switched ? {} : { required }),
  };
}

function propertiesOf(shape: Shape<unknown>): [string, JsonSchema][] {
  const fields = Object.values(shape.table).flatMap(fieldProperties);
  return [...fields, ...shape.others.flatMap(otherProperties)];
}

function fieldProperties(field: Field<unknown>): [string, JsonSchema][] {
  switch (field.form) {
    case 'squash':
      return propertiesOf(field.shape);
    case 'section':
      return [[field.key, mapSchema(field.shape, field.doc, field.optional)]];
    case 'sections': {
      const items = mapSchema(field.itemShape, field.doc);
      return [[field.key, anyOf({ type: 'array', items }, field.doc)]];
    }
    case 'leaf': {
      const property: [string, JsonSchema] = [field.key, leafSchema(field, field.doc)];
      if (field.oldKey === undefined) return [property];
      return [property, [field.oldKey, leafSchema(field, `Old name of \`${field.key}\`. ${field.doc}`)]];
    }
  }
}

function otherProperties(other: OtherKey): [string, JsonSchema][] {
  if (other.form === 'refused') {
    return [[other.key, { not: {}, description: `\`${other.key}\` ${other.message}` }]];
  }
  return fieldProperties(other.field).map(([key, schema]) => {
    return [key, { ...schema, description: `No effect: ${other.note}. ${schema.description}` }];
  });
}

function leafSchema(field: LeafField<unknown>, description: string): JsonSchema {
  const schema = anyOf(field.json, description);
  return field.defaultYaml === undefined ? schema : { ...schema, default: field.defaultYaml };
}

function anyOf(schema: JsonSchema, description: string): JsonSchema {
  return { description, anyOf: [schema, REFERENCE, { type: 'null' }] };
}

function requiredOf(shape: Shape<unknown>): string[] {
  return Object.values(shape.table).flatMap((field) => {
    if (field.form === 'squash') return requiredOf(field.shape);
    return field.form === 'leaf' && field.required && field.oldKey === undefined ? [field.key] : [];
  });
}
