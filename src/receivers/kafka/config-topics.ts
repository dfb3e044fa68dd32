/** Keys of the receiver `kafka` about topics: what is read for a signal, and which headers are kept. */
import type { Signal } from '../../component/signal.ts';
import { boolean, string, stringList } from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape, type Shape } from '../../config/schema.ts';
import { findDecoder } from '../../encodings/decoders.ts';

/** Names that begin so are regular expressions. */
export const PATTERN_PREFIX = '^';

export interface SignalTopics {
  topics: string[];
  excludeTopics: string[];
  /** undefined: as the level above says, or `otlp_proto`. */
  encoding: string | undefined;
}

export interface HeaderExtractionConfig {
  isEnabled: boolean;
  headers: string[];
}

export function signalTopicsShape(topic: string): Shape<SignalTopics> {
  return defineShape<SignalTopics>({
    topics: stringList('topics', {
      default: [topic],
      oldKey: 'topic',
      doc: 'Topics to read; a name that begins with `^` is a regular expression.',
    }),
    excludeTopics: stringList('exclude_topics', {
      default: [],
      oldKey: 'exclude_topic',
      doc: 'Regular expressions of topics that the patterns of `topics` must not find.',
    }),
    encoding: string('encoding', { doc: 'What the values of the records are. Default: `otlp_proto`.' }),
  });
}

export const headerExtractionShape: Shape<HeaderExtractionConfig> = defineShape<HeaderExtractionConfig>({
  isEnabled: boolean('extract_headers', {
    default: false,
    doc: 'Write the values of `headers` to resources, as attributes `kafka.header.NAME`.',
  }),
  headers: stringList('headers', { default: [], doc: 'Names of headers, letter for letter.' }),
});

const OTLP_ENCODINGS = ['otlp_proto', 'otlp_json'];

export function checkSignalTopics(
  signal: Signal,
  { topics, excludeTopics, encoding }: SignalTopics,
): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const patterns = topics.filter((topic) => topic.startsWith(PATTERN_PREFIX));
  if (topics.length === 0 || topics.includes('')) {
    issues.push({ key: `${signal}.topics`, message: 'expected names of topics' });
  }
  if (excludeTopics.length > 0 && patterns.length === 0) {
    const message = `${signal}.exclude_topics is configured but none of the configured ${signal}.topics use regex pattern (must start with '^')`;
    issues.push({ key: `${signal}.exclude_topics`, message });
  }
  for (const [key, texts] of [['topics', patterns] as const, ['exclude_topics', excludeTopics] as const]) {
    for (const text of texts) {
      if (compilePattern(text) !== undefined) continue;
      issues.push({
        key: `${signal}.${key}`,
        message: `${JSON.stringify(text)} is not a regular expression`,
      });
    }
  }
  if (encoding !== undefined && !isEncoding(signal, encoding)) {
    issues.push({ key: `${signal}.encoding`, message: encodingMessage(signal, encoding) });
  }
  return issues;
}

/** The engine's own forms. */
export function isOtlp(encoding: string): boolean {
  return OTLP_ENCODINGS.includes(encoding);
}

/** Whether the values of records of this signal can be that. */
export function isEncoding(signal: Signal, encoding: string): boolean {
  return isOtlp(encoding) || findDecoder(signal, encoding) !== undefined;
}

export function encodingMessage(signal: Signal, encoding: string): string {
  return `${JSON.stringify(encoding)} is no encoding of ${signal} that the engine reads; encoding extensions are not supported`;
}

/** undefined when it is none. */
export function compilePattern(text: string): RegExp | undefined {
  try {
    return new RegExp(text);
  } catch {
    return undefined;
  }
}
