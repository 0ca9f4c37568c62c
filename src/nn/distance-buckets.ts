/**
 * Which row of DeBERTa's table of distances stands for a distance (He et al. 2021; make_log_bucket_position in transformers' modeling_deberta_v2).
 * Near distances have a row each, far ones share rows whose widths grow by a logarithm. Computed once, here, in float32 step by step: a
 * rounding other than PyTorch's would move a border by one.
 */

export interface DistanceTable {
  /** Rows of the table on either side of distance 0: it has 2·span. */
  readonly span: number;
  /** Distances beyond half as many share rows up to `range`; undefined where every distance has its own. */
  readonly buckets: number | undefined;
  /** The distance that the last bucket begins before. */
  readonly range: number;
}

/** The row for a distance; what lies beyond the table has its first or last row. */
export function distanceRow(distance: number, { span, buckets, range }: DistanceTable): number {
  const bucket = buckets === undefined ? distance : logBucket(distance, buckets, range);
  return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
}

/** sign(δ)·(⌈ln(|δ|/m) / ln((range − 1)/m) · (m − 1)⌉ + m) beyond m = buckets/2, δ itself within. */
function logBucket(distance: number, buckets: number, range: number): number {
  const middle = Math.floor(buckets / 2);
  const size = Math.abs(distance);
  if (size <= middle) return distance;
  const float = Math.fround;
  const log = (value: number) => float(Math.log(float(value)));
  const share = float(log(size / middle) / log((range - 1) / middle));
  return Math.sign(distance) * (Math.ceil(float(share * (middle - 1))) + middle);
}
