/** What holds the points of a metric, by the field number of the oneof `Metric.data`: RequestIndex.metricKind. */
import * as tags from './tags.ts';

export const METRIC_GAUGE = 5;
export const METRIC_SUM = 7;
export const METRIC_HISTOGRAM = 9;
export const METRIC_EXPONENTIAL_HISTOGRAM = 10;
export const METRIC_SUMMARY = 11;

/** Tag of the attributes of a data point, by kind. */
export const POINT_ATTRIBUTES_TAGS: Readonly<Record<number, number>> = {
  [METRIC_GAUGE]: tags.TAG_NUMBER_POINT_ATTRIBUTES,
  [METRIC_SUM]: tags.TAG_NUMBER_POINT_ATTRIBUTES,
  [METRIC_HISTOGRAM]: tags.TAG_HISTOGRAM_POINT_ATTRIBUTES,
  [METRIC_EXPONENTIAL_HISTOGRAM]: tags.TAG_EXP_POINT_ATTRIBUTES,
  [METRIC_SUMMARY]: tags.TAG_SUMMARY_POINT_ATTRIBUTES,
};
