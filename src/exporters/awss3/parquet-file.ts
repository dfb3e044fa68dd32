/** Parquet files of batches: the only file that imports their library. */
import { gzipSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { PipelineError } from '../../component/errors.ts';
import { DEFAULT_LEVEL } from '../helper/body-compression.ts';
import type { Marshal } from './marshal.ts';
import type { Cell } from './parquet-cells.ts';
import { type ColumnSpec, PARQUET_COLUMNS, type ParquetTable, type PlainKind } from './parquet-columns.ts';
import { appendRows } from './parquet-rows.ts';

/** Readers skip whole groups by their bounds, and read them side by side. */
const ROW_GROUP_ROWS = 100_000;

/**
 * Loads the library.
 * @returns one file for all slices; the rows are in memory while it is made. Nothing at all when there are no points of
 * the table's kind.
 */
export async function createParquetMarshal(table: ParquetTable): Promise<Marshal> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const specs = PARQUET_COLUMNS[table];
  const schema = parquetSchema(specs);
  return async function* (slices, onRefused) {
    const columns: Cell[][] = specs.map(() => []);
    for (const slice of slices) {
      try {
        appendRows(table, [slice], columns);
      } catch (error) {
        if (onRefused === undefined) throw error;
        onRefused(slice, error);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (columns[0]!.length === 0) return;
    try {
      const file = parquetWriteBuffer({
        columnData: specs.map(([name], index) => ({ name, data: columns[index]! })),
        schema,
        codec: 'GZIP',
        compressors: { GZIP: (bytes: Uint8Array) => gzipSync(bytes, { level: DEFAULT_LEVEL }) },
        rowGroupSize: ROW_GROUP_ROWS,
        createdBy: 'millrace',
      });
      yield new Uint8Array(file);
    } catch (cause) {
      throw new PipelineError('INTERNAL', `the Parquet file cannot be made: ${(cause as Error).message}`, {
        permanent: true,
        cause,
      });
    }
  };
}

function parquetSchema(specs: readonly ColumnSpec[]): SchemaElement[] {
  return [{ name: 'root', num_children: specs.length }, ...specs.flatMap(columnElements)];
}

function columnElements([name, kind]: ColumnSpec): SchemaElement[] {
  const repetition_type = 'REQUIRED' as const;
  if (kind === 'map') {
    return [
      { name, repetition_type, converted_type: 'MAP', num_children: 1 },
      { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
      ...columnElements(['key', 'text']),
      ...columnElements(['value', 'text']),
    ];
  }
  if (typeof kind === 'string') return [{ name, repetition_type, ...PLAIN_ELEMENTS[kind] }];
  const element: SchemaElement[] =
    'listOf' in kind
      ? columnElements(['element', kind.listOf])
      : [{ name: 'element', repetition_type, num_children: kind.length }, ...kind.flatMap(columnElements)];
  return [
    { name, repetition_type, converted_type: 'LIST', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    ...element,
  ];
}

const PLAIN_ELEMENTS: Readonly<Record<PlainKind, Partial<SchemaElement>>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  uint8: { type: 'INT32', converted_type: 'UINT_8' },
  uint32: { type: 'INT32', converted_type: 'UINT_32' },
  int32: { type: 'INT32' },
  uint64: { type: 'INT64', converted_type: 'UINT_64' },
  double: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
  time: { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'NANOS' } },
};
