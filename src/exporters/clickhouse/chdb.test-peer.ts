/** The child of chdb-process.ts: the engine lives on the main thread of a process of its own. */
import { createRequire } from 'node:module';

interface Request {
  id: number;
  sql: string;
  format: string;
}

interface EngineSession {
  queryAsync(sql: string, options: { format: string }): Promise<{ text(): string }>;
}

const { Session } = createRequire(import.meta.url)('chdb') as {
  Session: new (path?: string) => EngineSession;
};
const session = new Session(process.argv[2]);

process.on('message', ({ id, sql, format }: Request) => {
  session.queryAsync(sql, { format }).then(
    (result) => process.send?.({ id, text: result.text() }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
