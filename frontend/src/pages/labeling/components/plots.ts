import { html, nothing, svg, type SVGTemplateResult, type TemplateResult } from "lit";

import { bandPath, linePath, rangeOf, shareRange, ticks, toPixels, type Box, type PlotPoint, type Range, type ToPixels } from "../../../state/plots";
import { percent } from "./text";

const BOX: Box = { width: 340, height: 180, left: 54, right: 18, top: 10, bottom: 34 };
const SQUARE: Box = { width: 260, height: 250, left: 54, right: 20, top: 10, bottom: 40 };

export interface LinePlot {
  readonly title: string;
  readonly x_title: string;
  readonly y_title: string;
  readonly points: readonly PlotPoint[];
  readonly x_range?: Range;
  readonly with_dots?: boolean;
  /** A name below each point, in place of round values. */
  readonly x_names?: readonly string[];
}

/** Shares over something that grows, with their intervals as a band. */
export function linePlot(plot: LinePlot): TemplateResult {
  const { points, title } = plot;
  const x_range = plot.x_range ?? rangeOf(points.map(({ x }) => x));
  const y_range = shareRange(points);
  const at = toPixels(BOX, x_range, y_range);
  const whiskers = points.length === 1 ? whisker(points[0], at) : nothing;
  return html`<svg class="plot" viewBox="0 0 ${BOX.width} ${BOX.height}" role="img" aria-label=${title}>
    ${axes(BOX, at, x_range, y_range, plot)}
    <path class="plot-band" d=${bandPath(points, at)}></path>
    ${whiskers}
    <path class="plot-line" d=${linePath(points, at)}></path>
    ${plot.with_dots === true || points.length < 3 ? points.map(({ x, y }) => dot(at(x, y), 3)) : nothing}
  </svg>`;
}

/** Accuracy against confidence; on the diagonal probabilities mean what they say. The larger the dot, the more samples.
 * No line joins them: between bins of few samples it would only show chance. */
export function reliabilityPlot(title: string, points: readonly (PlotPoint & { readonly count: number })[]): TemplateResult {
  const x_range = { from: Math.min(0.5, ...points.map(({ x }) => Math.floor(x * 10) / 10)), to: 1 };
  const y_range = { from: Math.min(x_range.from, shareRange(points).from), to: 1 };
  const { from } = x_range;
  const at = toPixels(SQUARE, x_range, y_range);
  const most = Math.max(...points.map(({ count }) => count));
  return html`<svg class="plot is-square" viewBox="0 0 ${SQUARE.width} ${SQUARE.height}" role="img" aria-label=${title}>
    ${axes(SQUARE, at, x_range, y_range, { x_title: "Confidence", y_title: "Right", shares_along: true })}
    <path class="plot-ideal" d=${linePath([{ x: from, y: from }, { x: 1, y: 1 }], at)}></path>
    ${points.map((point) => whisker(point, at))}
    ${points.map(({ x, y, count }) => dot(at(x, y), 2.5 + 5 * Math.sqrt(count / most)))}
  </svg>`;
}

/** The numbers of a plot, for those who cannot or do not want to read it off. */
export function plotTable(heads: readonly string[], rows: readonly (readonly string[])[]): TemplateResult {
  return html`<details class="plot-numbers">
    <summary>Numbers</summary>
    <div class="table-scroll"><table class="figures">
      <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
    </table></div>
  </details>`;
}

interface AxisTitles {
  readonly x_title: string;
  readonly y_title: string;
  readonly x_names?: readonly string[];
  readonly shares_along?: boolean;
}

function axes(box: Box, at: ToPixels, x_range: Range, y_range: Range, titles: AxisTitles): SVGTemplateResult {
  const bottom = box.height - box.bottom;
  const rows = ticks(y_range, 4).map((value) => ({ value, y: at(x_range.from, value)[1] }));
  const columns = titles.x_names
    ? titles.x_names.map((name, i) => ({ name, x: at(i, y_range.from)[0] }))
    : ticks(x_range, 4)
        .filter((value) => titles.shares_along === true || Number.isInteger(value))
        .map((value) => ({ name: titles.shares_along === true ? percent(value) : String(value), x: at(value, y_range.from)[0] }));
  return svg`<g class="plot-axes" aria-hidden="true">
    ${rows.map(({ value, y }) => svg`
      <line x1=${box.left} x2=${box.width - box.right} y1=${y} y2=${y}></line>
      <text x=${box.left - 6} y=${y + 3.5} text-anchor="end">${percent(value)}</text>`)}
    ${columns.map(({ name, x }) => svg`<text x=${x} y=${bottom + 14} text-anchor="middle">${name}</text>`)}
    <text class="plot-title" x=${(box.left + box.width - box.right) / 2} y=${box.height - 4} text-anchor="middle">${titles.x_title}</text>
    <text class="plot-title" transform="translate(9 ${(box.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${titles.y_title}</text>
  </g>`;
}

function whisker(point: PlotPoint | undefined, at: ToPixels): SVGTemplateResult | typeof nothing {
  if (point?.low === undefined || point.high === undefined) return nothing;
  const [x, low] = at(point.x, point.low);
  const [, high] = at(point.x, point.high);
  return svg`<line class="plot-whisker" x1=${x} x2=${x} y1=${low} y2=${high}></line>`;
}

function dot([x, y]: readonly [number, number], radius: number): SVGTemplateResult {
  return svg`<circle class="plot-dot" cx=${x} cy=${y} r=${radius}></circle>`;
}
