import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import uPlot from "uplot";

import { labelChanges, lossesOf } from "../../../state/training_run";
import type { Training } from "../../../state/types";
import { counted } from "../../../state/words";

const HEIGHT_PX = 116;
const FONT = "10px system-ui, sans-serif";
const TITLE_PX = 13;
const KEPT_RADIUS_PX = 3.5;
const DASHES_PX = [3, 3];
const BY_CLASS_TIP =
  "On the same held-out images as below, but counted as in training: every class has the same weight, however many labels it has. Below, and of checkpoints, every label has the same weight: two figures of one thing.";


/** Training and held-out loss by epoch, with the epoch that was kept and the changes of labels. */
export class LossChart extends LitElement {
  static override properties = { training: { attribute: false } };
  declare training: Training | null;
  #plot: uPlot | null = null;
  readonly #observer = new ResizeObserver(() => this.#plot?.setSize({ width: this.clientWidth, height: HEIGHT_PX }));
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  readonly #theme_observer = new MutationObserver(() => this.#recolor());

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.setAttribute("role", "img");
    this.#observer.observe(this);
    this.#scheme.addEventListener("change", this.#recolor);
    this.#theme_observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
    this.#theme_observer.disconnect();
    this.#scheme.removeEventListener("change", this.#recolor);
    this.#plot?.destroy();
    this.#plot = null;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const { train_loss, val_loss } = this.training ?? { train_loss: [], val_loss: [] };
    this.dataset.epochs = String(train_loss.length);
    this.classList.toggle("is-empty", train_loss.length === 0);
    this.setAttribute("aria-label", describe(this.training));
    if (train_loss.length === 0) {
      // A run that has only begun: the curve of the one before is not its own.
      this.#plot?.destroy();
      this.#plot = null;
      return;
    }
    const data: uPlot.AlignedData = [train_loss.map((_, i) => i + 1), [...train_loss], train_loss.map((_, i) => val_loss[i] ?? null)];
    if (this.#plot) this.#plot.setData(data);
    else this.#plot = new uPlot(this.#options(), data, this);
  }

  readonly #recolor = (): void => {
    this.#plot?.redraw(false, true);
  };

  #options(): uPlot.Options {
    const axis: uPlot.Axis = {
      stroke: () => this.#color("--text-faint"),
      grid: { stroke: () => this.#color("--chart-grid"), width: 1 },
      ticks: { show: false },
      font: FONT,
      labelFont: FONT,
      labelSize: TITLE_PX,
      labelGap: 0,
    };
    return {
      width: Math.max(this.clientWidth, 100),
      height: HEIGHT_PX,
      padding: [8, 16, 0, 0],
      cursor: { points: { size: 6 }, y: false },
      legend: { show: false },
      hooks: { draw: [(plot) => this.#drawMarks(plot)] },
      scales: { x: { time: false } },
      axes: [
        { ...axis, label: "Epoch", size: 20, space: 50, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] },
        { ...axis, label: "Loss", size: 28, space: 26 },
      ],
      series: [
        { label: "Epoch" },
        { label: "Training loss", stroke: () => this.#color("--chart-train"), width: 1.5, points: { show: false } },
        { label: "Held-out loss, each class alike", stroke: () => this.#color("--chart-val"), width: 2, points: { show: false } },
      ],
    };
  }

  /** Sizes are CSS pixels, the canvas counts those of the screen. */
  #drawMarks(plot: uPlot): void {
    if (this.training === null) return;
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.lineWidth = ratio;
    ctx.strokeStyle = this.#color("--text-faint");
    ctx.setLineDash(DASHES_PX.map((length) => length * ratio));
    for (const epoch of labelChanges(this.training)) {
      // After the newest epoch there is nothing yet to tell apart.
      if (epoch >= this.training.train_loss.length) continue;
      const x = Math.round(plot.valToPos(epoch + 0.5, "x", true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    const losses = lossesOf(this.training);
    if (losses?.is_kept === true) {
      ctx.fillStyle = this.#color(losses.held_out === null ? "--chart-train" : "--chart-val");
      ctx.strokeStyle = this.#color("--surface-panel");
      ctx.lineWidth = 1.5 * ratio;
      ctx.beginPath();
      ctx.arc(plot.valToPos(losses.epoch, "x", true), plot.valToPos(losses.held_out ?? losses.train, "y", true), KEPT_RADIUS_PX * ratio, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }

  /** A canvas needs the colour itself, not the name of the token. */
  #color(token: string): string {
    this.style.setProperty("--probe", `var(${token})`);
    return getComputedStyle(this).outlineColor;
  }
}

function describe(training: Training | null): string {
  const losses = training && lossesOf(training);
  if (!training || !losses) return "Loss chart: no run yet";
  const { epoch, train, held_out, is_kept } = losses;
  const at = is_kept ? `, at the kept epoch ${epoch}` : ", the newest:";
  const changes = labelChanges(training);
  return `Loss chart: ${counted(training.train_loss.length, "epoch")}${at} training loss ${train.toFixed(3)}${
    held_out === null ? "" : `, held-out loss, each class alike, ${held_out.toFixed(3)}`}${
    changes.length === 0 ? "" : `; labels changed after epoch ${changes.join(", ")}`}`;
}

/** The numbers of the epoch that counts, and the marks of the chart. */
export function lossLegend(training: Training): TemplateResult | typeof nothing {
  const losses = lossesOf(training);
  if (losses === null) return nothing;
  const { epoch, train, held_out, is_kept } = losses;
  return html`<strong>${is_kept ? "Kept: epoch" : "Epoch"} ${epoch}</strong>
    <span class="is-train">Training ${train.toFixed(3)}</span>
    <span class="is-val" title=${BY_CLASS_TIP}>Held-out, each class alike ${held_out === null ? "needs more labels" : held_out.toFixed(3)}</span>
    ${labelChanges(training).length > 0 ? html`<span class="is-change">Labels changed</span>` : nothing}`;
}

customElements.define("fewclick-loss-chart", LossChart);
