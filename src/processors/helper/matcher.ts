/**
 * Finds the items that fit a set of criteria. Kinds of criteria are ANDed, texts inside one are ORed, attributes
 * and libraries must all hold. What depends on the resource, the scope or the metric is tested once for each.
 */
import type { Signal } from '../../component/signal.ts';
import { valueText } from '../../otlp/any-value-text.ts';
import { ANY_STRING, AnyValueView } from '../../otlp/any-value-view.ts';
import { AttributeCursor, ItemView } from '../../otlp/item-view.ts';
import * as tags from '../../otlp/tags.ts';
import type { RequestIndex } from '../../pdata/request-index.ts';
import { AttributesTest, TextTest } from './criteria.ts';
import { type MatchCriteria, SPAN_KINDS } from './match-config.ts';

const UTF8 = new TextEncoder();
const SERVICE_NAME = UTF8.encode('service.name');
/** What a resource without a name is matched as. */
const NO_SERVICE = UTF8.encode('<nil-service-name>');

const UNKNOWN = -1;

function textTest(texts: readonly string[], isRegexp: boolean): TextTest | undefined {
  return texts.length === 0 ? undefined : new TextTest(texts, isRegexp);
}

export class Matcher {
  readonly #services: TextTest | undefined;
  readonly #resources: AttributesTest | undefined;
  readonly #libraries: readonly { name: TextTest; version: TextTest | undefined }[];
  readonly #metricNames: TextTest | undefined;
  readonly #spanNames: TextTest | undefined;
  /** By the number of the kind. */
  readonly #spanKinds: readonly boolean[] | undefined;
  readonly #attributes: AttributesTest | undefined;
  readonly #bodies: TextTest | undefined;
  readonly #severityTexts: TextTest | undefined;
  readonly #severity: MatchCriteria['logSeverity'];
  readonly #view = new ItemView();
  readonly #value = new AnyValueView();
  #bytes: Uint8Array = new Uint8Array(0);
  #index: RequestIndex | undefined;
  #scope = UNKNOWN;
  #resource = UNKNOWN;
  #metric = UNKNOWN;
  #isScopeMatch = false;
  #isResourceMatch = false;
  #isMetricMatch = false;

  constructor(criteria: MatchCriteria) {
    const isRegexp = criteria.matchType === 'regexp';
    const text = (texts: readonly string[]) => textTest(texts, isRegexp);
    const attributes = (list: MatchCriteria['attributes']) =>
      list.length === 0 ? undefined : new AttributesTest(list, isRegexp);
    this.#services = text(criteria.services);
    this.#resources = attributes(criteria.resources);
    this.#libraries = criteria.libraries.map(({ name, version }) => ({
      name: new TextTest([name], isRegexp),
      version: version === undefined ? undefined : new TextTest([version], isRegexp),
    }));
    this.#metricNames = text(criteria.metricNames);
    this.#spanNames = text(criteria.spanNames);
    const kinds = text(criteria.spanKinds);
    this.#spanKinds =
      kinds &&
      SPAN_KINDS.map((kind) => {
        const bytes = UTF8.encode(kind);
        return kinds.matches(bytes, 0, bytes.length);
      });
    this.#attributes = attributes(criteria.attributes);
    this.#bodies = text(criteria.logBodies);
    this.#severityTexts = text(criteria.logSeverityTexts);
    this.#severity = criteria.logSeverity;
  }

  /** Starts on another request. */
  begin(bytes: Uint8Array, index: RequestIndex): void {
    this.#bytes = bytes;
    this.#index = index;
    this.#scope = UNKNOWN;
    this.#resource = UNKNOWN;
    this.#metric = UNKNOWN;
  }

  /**
   * @param item ordinal in the index; [start, end) is its message.
   * @param metric ordinal of its metric, for data points.
   * @param attributesTag field of its attributes.
   */
  matches(
    signal: Signal,
    item: number,
    start: number,
    end: number,
    metric: number,
    attributesTag: number,
  ): boolean {
    const scope = this.#index!.itemScope[item]!;
    if (scope !== this.#scope) this.#enterScope(scope);
    if (!this.#isScopeMatch) return false;
    if (signal === 'metrics') {
      if (metric !== this.#metric) this.#enterMetric(metric);
      return this.#isMetricMatch;
    }
    const isMatch = signal === 'traces' ? this.#matchesSpan(start, end) : this.#matchesRecord(start, end);
    if (!isMatch) return false;
    return this.#attributes === undefined || this.#attributes.matches(this.#bytes, start, end, attributesTag);
  }

  #enterScope(scope: number): void {
    this.#scope = scope;
    const resource = this.#index!.scopeResource[scope]!;
    if (resource !== this.#resource) this.#enterResource(resource);
    this.#isScopeMatch = this.#isResourceMatch && this.#matchesLibraries(scope);
  }

  #enterResource(resource: number): void {
    this.#resource = resource;
    const bytes = this.#bytes;
    const start = this.#index!.resourceInfoStart[resource]!;
    const end = this.#index!.resourceInfoEnd[resource]!;
    this.#isResourceMatch =
      (this.#services === undefined || matchesService(this.#services, bytes, start, end)) &&
      (this.#resources === undefined ||
        this.#resources.matches(bytes, start, end, tags.TAG_RESOURCE_ATTRIBUTES));
  }

  #matchesLibraries(scope: number): boolean {
    if (this.#libraries.length === 0) return true;
    const view = this.#view;
    view.reset(this.#bytes, this.#index!.scopeInfoStart[scope]!, this.#index!.scopeInfoEnd[scope]!);
    return this.#libraries.every(
      ({ name, version }) =>
        this.#matchesField(name, tags.TAG_SCOPE_NAME) &&
        (version === undefined || this.#matchesField(version, tags.TAG_SCOPE_VERSION)),
    );
  }

  #enterMetric(metric: number): void {
    this.#metric = metric;
    this.#view.reset(this.#bytes, this.#index!.metricBody[metric]!, this.#index!.metricEnd[metric]!);
    this.#isMetricMatch =
      this.#metricNames === undefined || this.#matchesField(this.#metricNames, tags.TAG_METRIC_NAME);
  }

  #matchesSpan(start: number, end: number): boolean {
    if (this.#spanNames === undefined && this.#spanKinds === undefined) return true;
    const view = this.#view;
    view.reset(this.#bytes, start, end);
    if (this.#spanKinds !== undefined && this.#spanKinds[view.int32(tags.TAG_SPAN_KIND)] !== true)
      return false;
    return this.#spanNames === undefined || this.#matchesField(this.#spanNames, tags.TAG_SPAN_NAME);
  }

  #matchesRecord(start: number, end: number): boolean {
    const severity = this.#severity;
    if (this.#bodies === undefined && this.#severityTexts === undefined && severity === undefined)
      return true;
    const view = this.#view;
    view.reset(this.#bytes, start, end);
    if (severity !== undefined) {
      const number = view.int32(tags.TAG_LOG_SEVERITY_NUMBER);
      if (number === 0 ? !severity.matchesUndefined : number < severity.min) return false;
    }
    if (
      this.#severityTexts !== undefined &&
      !this.#matchesField(this.#severityTexts, tags.TAG_LOG_SEVERITY_TEXT)
    ) {
      return false;
    }
    if (this.#bodies === undefined) return true;
    const value = this.#value;
    view.find(tags.TAG_LOG_BODY);
    value.reset(this.#bytes, view.contentStart, view.contentEnd);
    if (value.kind === ANY_STRING) return this.#bodies.matches(value.bytes, value.start, value.end);
    const text = UTF8.encode(valueText(value));
    return this.#bodies.matches(text, 0, text.length);
  }

  #matchesField(test: TextTest, tag: number): boolean {
    this.#view.find(tag);
    return test.matches(this.#bytes, this.#view.contentStart, this.#view.contentEnd);
  }
}

function matchesService(services: TextTest, bytes: Uint8Array, start: number, end: number): boolean {
  const cursor = new AttributeCursor();
  cursor.reset(bytes, start, end, tags.TAG_RESOURCE_ATTRIBUTES);
  if (!cursor.find(SERVICE_NAME)) return services.matches(NO_SERVICE, 0, NO_SERVICE.length);
  const { value } = cursor;
  if (value.kind === ANY_STRING) return services.matches(bytes, value.start, value.end);
  const text = UTF8.encode(valueText(value));
  return services.matches(text, 0, text.length);
}
