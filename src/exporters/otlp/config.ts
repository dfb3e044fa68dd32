import { type CheckIssue, defineConfig } from '../../config/schema.ts';
import {
  checkOtlpGrpc,
  OTLP_GRPC_OTHER_KEYS,
  OTLP_GRPC_TABLE,
  type OtlpConfig,
} from '../helper/grpc/config.ts';
import { parseTarget } from '../helper/grpc/target.ts';

export const otlpConfigSchema = defineConfig<OtlpConfig>(OTLP_GRPC_TABLE, checkConfig, OTLP_GRPC_OTHER_KEYS);

function checkConfig(config: OtlpConfig): CheckIssue[] {
  const parsed = parseTarget(config.endpoint);
  const issues = 'error' in parsed ? [{ key: 'endpoint', message: parsed.error }] : [];
  return [...issues, ...checkOtlpGrpc(config)];
}
