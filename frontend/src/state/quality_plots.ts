/** What GET /stats tells about quality, as points and cells to be drawn. */

import type { PlotPoint } from "./plots";
import type { Confusion, CurvePoint, HistoryPoint, ReliabilityBin } from "./quality";

/** Of a two-sided 95 % interval. */
const Z = 1.959964;
const LEAST_IN_AVERAGE = 5;

export function curvePoints(points: readonly CurvePoint[]): PlotPoint[] {
  return points.map(({ n_labels, accuracy: { value, low, high } }) => ({ x: n_labels, y: value, low, high }));
}

/** By order of measuring, from 1: labels can become fewer again. Those without a figure are left out. */
export function historyPoints(history: readonly HistoryPoint[]): PlotPoint[] {
  return history.flatMap(({ accuracy }, index) =>
    accuracy === null ? [] : [{ x: index + 1, y: accuracy.value, low: accuracy.low, high: accuracy.high }],
  );
}

export interface HeatCell {
  readonly true_id: number;
  readonly predicted_id: number;
  readonly count: number;
  /** Of the true class, 0..1: how deep the colour is. */
  readonly share: number;
  readonly is_right: boolean;
}

/** Rows of the confusion matrix with the share of their class. */
export function heatRows({ class_ids, counts }: Confusion): HeatCell[][] {
  return counts.map((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, j) => ({
      true_id: class_ids[i] ?? 0,
      predicted_id: class_ids[j] ?? 0,
      count,
      share: total === 0 ? 0 : count / total,
      is_right: i === j,
    }));
  });
}

/** Mean confidence and share of right ones of each bin, with the 95 % interval (Wilson) that so few samples leave. */
export function reliabilityPoints(bins: readonly ReliabilityBin[]): (PlotPoint & { readonly count: number })[] {
  return bins.map(({ confidence, accuracy, count }) => ({ x: confidence, y: accuracy, count, ...wilson(accuracy, count) }));
}

function wilson(share: number, count: number): { low: number; high: number } {
  const shrink = 1 + Z ** 2 / count;
  const centre = (share + Z ** 2 / (2 * count)) / shrink;
  const half = (Z / shrink) * Math.sqrt((share * (1 - share)) / count + Z ** 2 / (4 * count ** 2));
  return { low: Math.min(share, Math.max(0, centre - half)), high: Math.max(share, Math.min(1, centre + half)) };
}

/** Shares over the last images or clicks, from the place on where enough are in the average to say anything. */
export function movingPoints(shares: readonly (PlotPoint & { readonly count: number })[]): PlotPoint[] {
  return shares.flatMap(({ count, x, y }) => (count < LEAST_IN_AVERAGE ? [] : [{ x, y }]));
}
