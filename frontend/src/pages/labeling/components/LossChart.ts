import { LitElement, type PropertyValues } from "lit";
import uPlot from "uplot";

import type { Training } from "../../../state/types";

const HEIGHT_PX = 104;

/** Training and held-out loss by epoch. */
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
    this.setAttribute("aria-label", describe(train_loss, val_loss));
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
      font: "10px system-ui, sans-serif",
    };
    return {
      width: Math.max(this.clientWidth, 100),
      height: HEIGHT_PX,
      padding: [8, 6, 0, 0],
      cursor: { points: { size: 6 }, y: false },
      legend: { show: false },
      scales: { x: { time: false } },
      axes: [
        { ...axis, size: 22, space: 50, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] },
        { ...axis, size: 36, space: 26 },
      ],
      series: [
        { label: "Epoch" },
        { label: "Training loss", stroke: () => this.#color("--chart-train"), width: 1.5, points: { show: false } },
        { label: "Held-out loss", stroke: () => this.#color("--chart-val"), width: 2, points: { show: false } },
      ],
    };
  }

  /** A canvas needs the colour itself, not the name of the token. */
  #color(token: string): string {
    this.style.setProperty("--probe", `var(${token})`);
    return getComputedStyle(this).outlineColor;
  }
}

function describe(train_loss: readonly number[], val_loss: readonly (number | null)[]): string {
  const last = train_loss.at(-1);
  if (last === undefined) return "Loss chart: no run yet";
  const held_out = val_loss.at(-1);
  const more = held_out === undefined || held_out === null ? "" : `, held-out loss ${held_out.toFixed(3)}`;
  return `Loss chart: ${train_loss.length} epochs, training loss ${last.toFixed(3)}${more}`;
}

customElements.define("fewclick-loss-chart", LossChart);
