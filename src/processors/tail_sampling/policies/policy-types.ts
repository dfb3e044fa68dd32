/** The table of all types of policies: configuration, documentation and compilation follow from it. */
import type { ParsedConfig } from '../../../component/config-schema.ts';
import { section, squash, string } from '../../../config/field-kinds.ts';
import {
  type CheckIssue,
  defineConfig,
  defineShape,
  mapShape,
  type Shape,
  type Table,
} from '../../../config/schema.ts';
import { didYouMean } from '../../../stdx/nearest.ts';
import {
  type BooleanAttributeBlock,
  booleanAttributePolicy,
  type NumericAttributeBlock,
  numericAttributePolicy,
  type StringAttributeBlock,
  stringAttributePolicy,
} from './attribute-policies.ts';
import { type DynamicBlock, dynamicPolicy } from './dynamic-policy.ts';
import { type LatencyBlock, latencyPolicy } from './latency-policy.ts';
import {
  andPolicy,
  type CompositeBlock,
  compositePolicy,
  dropPolicy,
  type NotBlock,
  notPolicy,
  type SubPoliciesBlock,
} from './nesting-policies.ts';
import { type OttlConditionBlock, ottlConditionPolicy } from './ottl-policy.ts';
import type { PolicyOf, PolicyType } from './policy-type.ts';
import { type ProbabilisticBlock, probabilisticPolicy } from './probabilistic-policy.ts';
import {
  type BytesLimitingBlock,
  bytesLimitingPolicy,
  type RateLimitingBlock,
  rateLimitingPolicy,
} from './rate-policies.ts';
import {
  alwaysSamplePolicy,
  type SpanCountBlock,
  type StatusCodeBlock,
  spanCountPolicy,
  statusCodePolicy,
  type TraceStateBlock,
  traceFlagsPolicy,
  traceStatePolicy,
} from './span-policies.ts';

/** A policy as parsed, told apart by its `type`. */
export type PolicyConfig =
  | PolicyOf<'always_sample', undefined>
  | PolicyOf<'latency', LatencyBlock>
  | PolicyOf<'numeric_attribute', NumericAttributeBlock>
  | PolicyOf<'probabilistic', ProbabilisticBlock>
  | PolicyOf<'status_code', StatusCodeBlock>
  | PolicyOf<'string_attribute', StringAttributeBlock>
  | PolicyOf<'boolean_attribute', BooleanAttributeBlock>
  | PolicyOf<'trace_state', TraceStateBlock>
  | PolicyOf<'trace_flags', undefined>
  | PolicyOf<'span_count', SpanCountBlock>
  | PolicyOf<'rate_limiting', RateLimitingBlock>
  | PolicyOf<'bytes_limiting', BytesLimitingBlock>
  | PolicyOf<'ottl_condition', OttlConditionBlock>
  | PolicyOf<'dynamic', DynamicBlock>
  | PolicyOf<'and', SubPoliciesBlock>
  | PolicyOf<'not', NotBlock>
  | PolicyOf<'drop', SubPoliciesBlock>
  | PolicyOf<'composite', CompositeBlock>;

type AnyPolicy = PolicyOf<string, unknown>;
type AnyType = PolicyType<string, unknown>;

const table = { parse: parseNestable, needsWholeTrace };

/** A new type is one line here and one in PolicyConfig. */
const TYPES: readonly AnyType[] = [
  alwaysSamplePolicy,
  latencyPolicy,
  numericAttributePolicy,
  probabilisticPolicy,
  statusCodePolicy,
  stringAttributePolicy,
  booleanAttributePolicy,
  traceStatePolicy,
  traceFlagsPolicy,
  spanCountPolicy,
  rateLimitingPolicy,
  bytesLimitingPolicy,
  ottlConditionPolicy,
  dynamicPolicy,
  andPolicy(table),
  notPolicy(table),
  dropPolicy(table),
  compositePolicy(table),
].map((type) => type as unknown as AnyType);

const BY_NAME = new Map(TYPES.map((type) => [type.type, type]));

/** The entry of a type that passed the configuration check. */
export function policyType(type: string): AnyType {
  return BY_NAME.get(type)!;
}

/** Whether later spans may take back what it answers about the first ones. */
export function needsWholeTrace({ type, block }: AnyPolicy): boolean {
  return policyType(type).needsWholeTrace(block);
}

/** As written: the block of a type stands below a key that is named as the type. */
type PolicyKeys = { name: string; type: string } & Record<string, unknown>;

function policyShape(types: readonly AnyType[], isNested: boolean): Shape<AnyPolicy> {
  const names = types.map(({ type }) => type);
  const blocks = types.flatMap(({ type, block, doc }) =>
    block === undefined ? [] : [[type, section(type, block, { optional: true, doc })] as const],
  );
  const plain = types
    .filter(({ block }) => block === undefined)
    .map(({ type, doc }) => `\`${type}\`: ${doc}`);
  const keys = {
    name: isNested
      ? string('name', { default: '', doc: 'Name of the policy.' })
      : string('name', { required: true, doc: 'Name of the policy in metrics; every policy has its own.' }),
    type: string('type', {
      required: true,
      doc: `Type of the policy; its keys stand below the key named as the type. Types without keys: ${plain.join(' ')}`,
    }),
    ...Object.fromEntries(blocks),
  };
  // The table is made of the list of types, which TypeScript cannot follow.
  const shape = defineShape<PolicyKeys>(keys as unknown as Table<PolicyKeys>, (policy) =>
    checkPolicy(policy, names),
  );
  return mapShape(shape, (policy) => {
    const { name, type } = policy;
    return { name, type, block: policy[type] };
  });
}

function checkPolicy(policy: PolicyKeys, names: readonly string[]): CheckIssue[] {
  const { type } = policy;
  if (!names.includes(type)) {
    const message = BY_NAME.has(type)
      ? `"${type}" cannot stand inside another policy`
      : `unknown policy type "${type}"${didYouMean(type, names)}`;
    return [{ key: 'type', message }];
  }
  const issues: CheckIssue[] = [];
  if (policyType(type).block !== undefined && policy[type] === undefined) {
    issues.push({ key: '', message: `type "${type}" needs the key "${type}"` });
  }
  for (const other of names) {
    if (other === type || policy[other] === undefined) continue;
    issues.push({ key: other, message: `must not be given for type "${type}"` });
  }
  return issues;
}

/** One item of `policies`. */
export const topPolicyShape: Shape<PolicyConfig> = policyShape(TYPES, false) as Shape<PolicyConfig>;

const nestableSchema = defineConfig<{ policy: AnyPolicy }>({
  policy: squash(
    policyShape(
      TYPES.filter(({ isNestable }) => isNestable),
      true,
    ),
  ),
});

function parseNestable(raw: unknown): ParsedConfig<AnyPolicy> {
  const parsed = nestableSchema.parse(raw);
  if (parsed.value === undefined) return parsed;
  return { value: parsed.value.policy, issues: [], warnings: parsed.warnings ?? [] };
}
