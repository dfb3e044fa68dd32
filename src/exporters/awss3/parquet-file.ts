/** Parquet files of batches: the only file that imports their library. */
import { gzipSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { PipelineError } from '../../component/errors.ts';
import type { Signal } from '../../component/signal.ts';
import { DEFAULT_LEVEL } from '../helper/body-compression.ts';
import type { Marshal } from './marshal.ts';
import { type ColumnKind, type ColumnSpec, PARQUET_COLUMNS } from './parquet-columns.ts';
import { appendLogRows, appendSpanRows, type Cell } from './parquet-rows.ts';

/** Readers skip whole groups by their bounds, and read them side by side. */
const ROW_GROUP_ROWS = 100_000;

/** Loads the library. @returns one file for all slices; the rows are in memory while it is made. */
export async function createParquetMarshal(signal: Signal): Promise<Marshal> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const specs = PARQUET_COLUMNS[signal]!;
  const schema = parquetSchema(specs);
  const append = signal === 'traces' ? appendSpanRows : appendLogRows;
  return async function* (slices, onRefused) {
    const columns: Cell[][] = specs.map(() => []);
    for (const slice of slices) {
      try {
        append([slice], columns);
      } catch (error) {
        if (onRefused === undefined) throw error;
        onRefused(slice, error);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
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
  if (typeof kind === 'string' && kind !== 'map') return [{ name, repetition_type, ...plainElement(kind) }];
  if (kind === 'map') {
    return [
      { name, repetition_type, converted_type: 'MAP', num_children: 1 },
      { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
      ...columnElements(['key', 'text']),
      ...columnElements(['value', 'text']),
    ];
  }
  return [
    { name, repetition_type, converted_type: 'LIST', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type, num_children: kind.length },
    ...kind.flatMap(columnElements),
  ];
}

function plainElement(kind: Exclude<ColumnKind, 'map' | readonly ColumnSpec[]>): Partial<SchemaElement> {
  if (kind === 'text') return { type: 'BYTE_ARRAY', converted_type: 'UTF8' };
  if (kind === 'uint8') return { type: 'INT32', converted_type: 'UINT_8' };
  if (kind === 'uint64') return { type: 'INT64', converted_type: 'UINT_64' };
  return { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'NANOS' } };
}
