/** Digests and encodings. */
import { createHash } from 'node:crypto';
import { windows1252Text } from '../../stdx/windows-1252.ts';
import { EvaluationError } from '../errors.ts';
import type { Value } from '../value.ts';
import { textOf } from './coerce.ts';
import { type Converter, type Converters, optional, param } from './converter.ts';
import { murmur32, murmur128 } from './murmur3.ts';

const UTF8 = new TextEncoder();

const digest = (algorithm: string): Converter => ({
  params: [param('target', 'string')],
  apply: ([target]) =>
    createHash(algorithm)
      .update(target as string)
      .digest('hex'),
});

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** 64-bit FNV-1a. */
function fnv(text: string): bigint {
  let hash = FNV_OFFSET;
  for (const byte of UTF8.encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return BigInt.asIntN(64, hash);
}

function littleEndianHex(numbers: readonly bigint[], sizeBytes: number): string {
  return numbers
    .map((number) =>
      number
        .toString(16)
        .padStart(sizeBytes * 2, '0')
        .match(/../g)!
        .reverse()
        .join(''),
    )
    .join('');
}

interface Base64Variant {
  readonly isUrl: boolean;
  readonly isPadded: boolean;
}

const VARIANTS: Readonly<Record<string, Base64Variant>> = {
  base64: { isUrl: false, isPadded: true },
  'base64-raw': { isUrl: false, isPadded: false },
  'base64-url': { isUrl: true, isPadded: true },
  'base64-raw-url': { isUrl: true, isPadded: false },
};

/** Strict, but for line ends, which are skipped. */
function decodeBase64(text: string, { isUrl, isPadded }: Base64Variant): string {
  const compact = text.replace(/[\r\n]/g, '');
  const digits = compact.replace(/=+$/, '');
  const padding = compact.length - digits.length;
  const alphabet = isUrl ? /^[A-Za-z0-9_-]*$/ : /^[A-Za-z0-9+/]*$/;
  const isWhole = isPadded ? compact.length % 4 === 0 && padding <= 2 : padding === 0;
  if (!alphabet.test(digits) || !isWhole || digits.length % 4 === 1) {
    throw new EvaluationError('the text is not in this form of base64');
  }
  return Buffer.from(digits, isUrl ? 'base64url' : 'base64').toString();
}

function encodeBase64(text: string, { isUrl, isPadded }: Base64Variant): string {
  const encoded = Buffer.from(text).toString('base64');
  const letters = isUrl ? encoded.replaceAll('+', '-').replaceAll('/', '_') : encoded;
  return isPadded ? letters : letters.replace(/=+$/, '');
}

/** Encodings beside base64 by their names of the IANA registry. */
function textDecoder(name: string): ((bytes: Uint8Array) => string) | undefined {
  try {
    const decoder = new TextDecoder(name);
    return decoder.encoding === 'windows-1252' ? windows1252Text : (bytes) => decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function decode(target: Value, encoding: string): string {
  if (!(target instanceof Uint8Array) && typeof target !== 'string') {
    throw new EvaluationError('only strings and bytes can be decoded');
  }
  const variant = VARIANTS[encoding];
  if (variant !== undefined) {
    return decodeBase64(
      typeof target === 'string' ? target : Buffer.from(target).toString('latin1'),
      variant,
    );
  }
  const decoder = textDecoder(encoding);
  if (decoder === undefined) throw new EvaluationError(`unknown encoding ${JSON.stringify(encoding)}`);
  return decoder(typeof target === 'string' ? UTF8.encode(target) : target);
}

function variantIssue(name: unknown): string | undefined {
  if (typeof name !== 'string' || Object.hasOwn(VARIANTS, name)) return undefined;
  return `no variant ${JSON.stringify(name)}: ${Object.keys(VARIANTS).join(', ')} are`;
}

export const HASH_CONVERTERS: Converters = {
  MD5: digest('md5'),
  SHA1: digest('sha1'),
  SHA256: digest('sha256'),
  SHA512: digest('sha512'),
  FNV: { params: [param('target', 'string')], apply: ([target]) => fnv(target as string) },
  Murmur3Hash: {
    params: [param('target', 'string')],
    apply: ([target]) => littleEndianHex([BigInt(murmur32(UTF8.encode(target as string)))], 4),
  },
  Murmur3Hash128: {
    params: [param('target', 'string')],
    apply: ([target]) => littleEndianHex(murmur128(UTF8.encode(target as string)), 8),
  },
  Decode: {
    params: [param('target', 'any'), param('encoding', 'string')],
    check: ([, name]) =>
      typeof name !== 'string' || Object.hasOwn(VARIANTS, name) || textDecoder(name) !== undefined
        ? undefined
        : `unknown encoding ${JSON.stringify(name)}`,
    apply: ([target, encoding]) => decode(target, encoding as string),
  },
  Base64Encode: {
    params: [param('target', 'string'), optional('variant', 'string')],
    check: ([, name]) => variantIssue(name),
    apply: ([text, name = 'base64']) => {
      const variant = VARIANTS[name as string];
      if (variant === undefined) throw new EvaluationError(variantIssue(name)!);
      return encodeBase64(text as string, variant);
    },
  },
  Base64Decode: {
    params: [param('target', 'string-like')],
    apply: ([text]) => decodeBase64(textOf(text), VARIANTS.base64!),
  },
};
