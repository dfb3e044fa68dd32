/** Policies made of other policies. */
import type { ParsedConfig } from '../../../component/config-schema.ts';
import { count, sections, string, stringList } from '../../../config/field-kinds.ts';
import { nested } from '../../../config/nested-field.ts';
import { type CheckIssue, defineShape, type LeafField } from '../../../config/schema.ts';
import { CompositePolicy } from './composite-policy.ts';
import {
  type Policy,
  type TraceFacts,
  VOTE_DROPPED,
  VOTE_ERROR,
  VOTE_INVERT_NOT_SAMPLED,
  VOTE_NOT_SAMPLED,
  VOTE_SAMPLED,
  type Vote,
} from './policy.ts';
import type { PolicyOf, PolicyType } from './policy-type.ts';

type AnyPolicy = PolicyOf<string, unknown>;

export interface SubPoliciesBlock {
  subPolicies: AnyPolicy[];
}

export interface NotBlock {
  subPolicy: AnyPolicy;
}

export interface CompositeBlock {
  maxTotalSpansPerSecond: number;
  policyOrder: string[];
  subPolicies: AnyPolicy[];
  rateAllocation: RateAllocation[] | undefined;
}

export interface RateAllocation {
  policy: string;
  percent: number;
}

/** What the types here need of the table of all types, which holds them. */
export interface PolicyTable {
  parse(raw: unknown): ParsedConfig<AnyPolicy>;
  needsWholeTrace(policy: AnyPolicy): boolean;
}

const POLICY_JSON = { type: 'object', required: ['name', 'type'] };

function subPolicyList(key: string, table: PolicyTable): LeafField<AnyPolicy[]> {
  return nested<AnyPolicy[]>(key, {
    doc: 'Policies as in `policies`, except `drop` and `composite`.',
    type: 'list of policies',
    json: { type: 'array', items: POLICY_JSON },
    parse: (raw) => {
      if (!Array.isArray(raw) || raw.length === 0) {
        return { value: undefined, issues: [{ path: [], message: 'expected one or more policies' }] };
      }
      const all = raw.map((item: unknown) => table.parse(item));
      const issues = all.flatMap((parsed, index) =>
        parsed.issues.map((issue) => ({ ...issue, path: [index, ...issue.path] })),
      );
      if (issues.length > 0) return { value: undefined, issues };
      return { value: all.map(({ value }) => value as AnyPolicy), issues: [] };
    },
  });
}

export function andPolicy(table: PolicyTable): PolicyType<'and', SubPoliciesBlock> {
  return {
    type: 'and',
    doc: 'All of its policies sample the trace.',
    isNestable: true,
    block: defineShape<SubPoliciesBlock>({ subPolicies: subPolicyList('and_sub_policy', table) }),
    needsWholeTrace: ({ subPolicies }) => subPolicies.some(table.needsWholeTrace),
    compile: ({ subPolicies }, compiler) =>
      new AllPolicy(
        subPolicies.map((each) => compiler.compile(each)),
        VOTE_SAMPLED,
      ),
  };
}

export function dropPolicy(table: PolicyTable): PolicyType<'drop', SubPoliciesBlock> {
  return {
    type: 'drop',
    doc: 'Drops the trace when all of its policies would sample it, whatever other policies say.',
    isNestable: false,
    block: defineShape<SubPoliciesBlock>({ subPolicies: subPolicyList('drop_sub_policy', table) }),
    needsWholeTrace: ({ subPolicies }) => subPolicies.some(table.needsWholeTrace),
    compile: ({ subPolicies }, compiler) =>
      new AllPolicy(
        subPolicies.map((each) => compiler.compile(each)),
        VOTE_DROPPED,
      ),
  };
}

export function notPolicy(table: PolicyTable): PolicyType<'not', NotBlock> {
  return {
    type: 'not',
    doc: 'Its policy does not sample the trace.',
    isNestable: true,
    block: defineShape<NotBlock>({
      subPolicy: nested<AnyPolicy>('not_sub_policy', {
        doc: 'A policy as in `policies`, except `drop` and `composite`.',
        type: 'policy',
        json: POLICY_JSON,
        parse: table.parse,
      }),
    }),
    needsWholeTrace: ({ subPolicy }) => table.needsWholeTrace(subPolicy),
    compile: ({ subPolicy }, compiler) => new NotPolicy(compiler.compile(subPolicy)),
  };
}

export function compositePolicy(table: PolicyTable): PolicyType<'composite', CompositeBlock> {
  const allocationShape = defineShape<RateAllocation>({
    policy: string('policy', { required: true, doc: 'Name of one of its policies.' }),
    percent: count('percent', { default: 0, doc: 'Share of the total; 0: an equal share.' }),
  });
  return {
    type: 'composite',
    doc: 'The first of its policies that would sample the trace decides, within its share of a rate.',
    isNestable: false,
    block: defineShape<CompositeBlock>(
      {
        maxTotalSpansPerSecond: count('max_total_spans_per_second', {
          required: true,
          doc: 'Spans a second that are shared out.',
        }),
        policyOrder: stringList('policy_order', {
          default: [],
          doc: 'Names in the order in which they are asked; those not named follow in the order of the list.',
        }),
        subPolicies: subPolicyList('composite_sub_policy', table),
        rateAllocation: sections('rate_allocation', allocationShape, {
          doc: 'Shares of the total. Without any, all are equal; with some, a policy that is not named has none.',
        }),
      },
      checkComposite,
    ),
    needsWholeTrace: ({ subPolicies }) => subPolicies.some(table.needsWholeTrace),
    compile: (block, compiler) =>
      new CompositePolicy(
        compiler.spanCountWord(),
        orderedShares(block).map(({ policy, spansPerSecond }) => ({
          policy: compiler.compile(policy),
          spansPerSecond: spansPerSecond / compiler.deciderCount,
        })),
      ),
  };
}

function checkComposite({ policyOrder, subPolicies, rateAllocation = [] }: CompositeBlock): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const names = subPolicies.map(({ name }) => name);
  const checkNames = (used: readonly string[], keyOf: (index: number) => string) => {
    for (const [index, name] of used.entries()) {
      const isTwin = used.indexOf(name) < index;
      if (isTwin) issues.push({ key: keyOf(index), message: `names "${name}" again` });
      else if (!names.includes(name)) {
        issues.push({
          key: keyOf(index),
          message: `names "${name}", which composite_sub_policy does not have`,
        });
      }
    }
  };
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) === index) continue;
    const key = `composite_sub_policy.${index}.name`;
    issues.push({ key, message: `"${name}" is the name of an earlier policy` });
  }
  checkNames(policyOrder, (index) => `policy_order.${index}`);
  checkNames(
    rateAllocation.map(({ policy }) => policy),
    (index) => `rate_allocation.${index}.policy`,
  );
  return issues;
}

/** Its policies in the order of asking, each with the spans a second that it may let through. */
export function orderedShares({
  maxTotalSpansPerSecond: total,
  policyOrder,
  subPolicies,
  rateAllocation = [],
}: CompositeBlock): { policy: AnyPolicy; spansPerSecond: number }[] {
  const ranks = new Map(policyOrder.map((name, rank) => [name, rank]));
  const rankOf = ({ name }: AnyPolicy) => ranks.get(name) ?? policyOrder.length;
  const equalShare = total / subPolicies.length;
  return subPolicies
    .toSorted((a, b) => rankOf(a) - rankOf(b))
    .map((policy) => {
      const allocation = rateAllocation.find((each) => each.policy === policy.name);
      if (allocation === undefined && rateAllocation.length > 0) return { policy, spansPerSecond: 0 };
      const percent = allocation?.percent ?? 0;
      // An allowance is a whole number of spans, and none exceeds the total.
      const share = percent > 0 ? (percent / 100) * total : equalShare;
      return { policy, spansPerSecond: Math.min(Math.trunc(share), total) };
    });
}

/** One vote when all agree to sample. A vote against ends it; so does an error, as an error. */
class AllPolicy implements Policy {
  readonly #policies: readonly Policy[];
  readonly #vote: Vote;

  constructor(policies: readonly Policy[], vote: Vote) {
    this.#policies = policies;
    this.#vote = vote;
  }

  vote(trace: TraceFacts): Vote {
    for (const policy of this.#policies) {
      const vote = policy.vote(trace);
      if (vote === VOTE_ERROR) return VOTE_ERROR;
      if (vote === VOTE_NOT_SAMPLED || vote === VOTE_INVERT_NOT_SAMPLED) return VOTE_NOT_SAMPLED;
    }
    return this.#vote;
  }
}

/** Turns the two plain votes around and passes on the others. */
class NotPolicy implements Policy {
  readonly #policy: Policy;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  vote(trace: TraceFacts): Vote {
    const vote = this.#policy.vote(trace);
    if (vote === VOTE_SAMPLED) return VOTE_NOT_SAMPLED;
    return vote === VOTE_NOT_SAMPLED ? VOTE_SAMPLED : vote;
  }
}
