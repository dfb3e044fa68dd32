/** Entry of the embedded ClickHouse's own process, forked by the extension. */
import { runStoreProcess } from '../src/extensions/embedded_clickhouse/store/store-main.ts';

runStoreProcess();
