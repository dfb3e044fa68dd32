/** The dashboard under configs/grafana as the tests look at it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../source-tree.ts';

export interface Panel {
  id: number;
  title: string;
  type: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { refId: string; expr: string; legendFormat: string }[];
}

export function dashboardPanels(): Panel[] {
  const path = join(CHECKOUT, 'configs', 'grafana', 'millrace.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { panels: Panel[] }).panels;
}

export interface DashboardQuery {
  /** `panel A`: where a person finds it. */
  place: string;
  /** With what Grafana fills in: every instance, and a window that fits a scrape each second. */
  expr: string;
}

export function dashboardQueries(rateWindow: string): DashboardQuery[] {
  return dashboardPanels().flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => ({
      place: `${title} ${refId}`,
      expr: expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', rateWindow),
    })),
  );
}
