/**
 * Layouts of times: the directives of strptime, or Go's reference time, as a list of parts that print and read.
 *
 * | part  | meaning                                          |
 * | ----- | ------------------------------------------------ |
 * | text  | itself                                           |
 * | field | a number or name of the calendar, see FIELDS     |
 */
import { EvaluationError } from '../errors.ts';

/** Go's spellings of the fields, longest first where one begins another. */
const GO_FIELDS = [
  ...[
    'January',
    'Jan',
    'Monday',
    'Mon',
    'MST',
    '2006',
    '002',
    '_2',
    '01',
    '02',
    '03',
    '04',
    '05',
    '06',
    '15',
  ],
  ...[
    'PM',
    'pm',
    'Z070000',
    'Z07:00:00',
    'Z0700',
    'Z07:00',
    'Z07',
    '-070000',
    '-07:00:00',
    '-0700',
    '-07:00',
    '-07',
  ],
  ...['1', '2', '3', '4', '5'],
] as const;

export type GoField = (typeof GO_FIELDS)[number];

export type LayoutPart =
  | { readonly form: 'text'; readonly text: string }
  | { readonly form: 'field'; readonly field: GoField }
  /** Digits of a second behind `.` or `,`; `isTrimmed`: without zeros at their end. */
  | {
      readonly form: 'fraction';
      readonly separator: string;
      readonly digits: number;
      readonly isTrimmed: boolean;
    };

const DIRECTIVES: Readonly<Record<string, string>> = {
  ...{
    Y: '2006',
    y: '06',
    m: '01',
    o: '_1',
    q: '1',
    b: 'Jan',
    h: 'Jan',
    B: 'January',
    d: '02',
    e: '_2',
    g: '2',
  },
  ...{ a: 'Mon', A: 'Monday', H: '15', I: '03', l: '3', p: 'PM', P: 'pm', M: '04', S: '05' },
  ...{
    L: '999',
    f: '999999',
    s: '99999999',
    z: 'Z0700',
    Z: 'MST',
    i: '-07',
    j: '-07:00',
    k: '-07:00:00',
    w: '-070000',
  },
  ...{
    D: '01/02/2006',
    x: '01/02/2006',
    F: '2006-01-02',
    T: '15:04:05',
    X: '15:04:05',
    r: '03:04:05 pm',
    R: '15:04',
  },
  ...{ c: 'Mon Jan 02 15:04:05 2006', n: '\n', t: '\t' },
};

const kept = new Map<string, readonly LayoutPart[]>();
const KEPT_MAX = 256;
const KEPT_FORMAT_MAX = 256;

/** @throws EvaluationError for a directive that does not exist. */
export function layoutOf(format: string): readonly LayoutPart[] {
  const known = kept.get(format);
  if (known !== undefined) return known;
  const parts = format.includes('%') ? directiveParts(format) : goParts(format);
  if (kept.size === KEPT_MAX) kept.clear();
  if (format.length <= KEPT_FORMAT_MAX) kept.set(format, parts);
  return parts;
}

function directiveParts(format: string): LayoutPart[] {
  const parts: LayoutPart[] = [];
  for (let at = 0; at < format.length; at++) {
    const character = format[at]!;
    if (character !== '%') {
      parts.push({ form: 'text', text: character });
      continue;
    }
    const directive = format[++at] ?? '';
    if (directive === '%') parts.push({ form: 'text', text: '%' });
    else if ('Lfs'.includes(directive) && directive !== '') parts.push(fractionOf(directive, parts));
    else {
      const layout = DIRECTIVES[directive];
      if (layout === undefined) throw new EvaluationError(`there is no time directive "%${directive}"`);
      parts.push(...goParts(layout));
    }
  }
  return joined(parts);
}

/** Digits of a second stand behind a separator, which becomes part of them. */
function fractionOf(directive: string, parts: LayoutPart[]): LayoutPart {
  const last = parts.pop();
  if (last?.form !== 'text' || !/[.,]$/.test(last.text)) {
    throw new EvaluationError(`"%${directive}" stands behind a point or a comma only`);
  }
  const digits = { L: 3, f: 6, s: 9 }[directive]!;
  return { form: 'fraction', separator: last.text.slice(-1), digits, isTrimmed: true };
}

function goParts(layout: string): LayoutPart[] {
  const parts: LayoutPart[] = [];
  let at = 0;
  while (at < layout.length) {
    const [fraction = '', separator = '', digits = ''] =
      /^([.,])(0+|9+)(?![0-9])/.exec(layout.slice(at)) ?? [];
    if (fraction !== '') {
      parts.push({ form: 'fraction', separator, digits: digits.length, isTrimmed: digits.startsWith('9') });
      at += fraction.length;
      continue;
    }
    const field = GO_FIELDS.find((each) => layout.startsWith(each, at));
    if (field === undefined) parts.push({ form: 'text', text: layout[at]! });
    else parts.push({ form: 'field', field });
    at += field?.length ?? 1;
  }
  return joined(parts);
}

function joined(parts: readonly LayoutPart[]): LayoutPart[] {
  const result: LayoutPart[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (part.form === 'text' && last?.form === 'text') {
      result[result.length - 1] = { form: 'text', text: last.text + part.text };
    } else result.push(part);
  }
  return result;
}
