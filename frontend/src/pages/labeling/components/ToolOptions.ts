import { Check, PaintBucket, Replace, type IconNode } from "lucide";
import { html, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";

import { currentHint, ONE_CLASS } from "../../../state/hints";
import { anotherClass, onlyClassText } from "../../../state/only_class";
import type { Readable } from "../../../state/signal";
import { LARGEST_BRUSH_PX, SMALLEST_BRUSH_PX, type Correction, type ToolName } from "../../../state/tools";
import { AppView } from "./AppView";
import { icon } from "./icon";

const CORRECTION_NAMES: readonly { readonly correction: Correction; readonly node: IconNode; readonly name: string; readonly note: string }[] = [
  { correction: "accept", node: Check, name: "Accept", note: "The region is what is predicted" },
  { correction: "erase", node: Replace, name: "Erase", note: "The region is the other class, or the chosen one (right click)" },
  { correction: "fill", node: PaintBucket, name: "Fill", note: "Accept it with all holes in it (Shift + click)" },
];

const HINTS: Readonly<Partial<Record<ToolName, TemplateResult>>> = {
  select: html`Drag moves, <kbd>Shift</kbd> adds, <kbd>Del</kbd> removes, arrow keys nudge, digits change the class`,
  polygon: html`<kbd>Enter</kbd> closes, <kbd>Backspace</kbd> takes a corner back, <kbd>Esc</kbd> cancels`,
  box: html`Drag from corner to corner; <kbd>Shift</kbd> makes a square`,
};

/** Above the image, beside its name: what the tool at work can be set to, and how it is used. */
export class ToolOptions extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { tools, classes, preferences } = this.app;
    return [tools.tool, tools.brush_radius, tools.correction, classes, preferences];
  }

  protected override watchedAtLeisure(): readonly Readable<unknown>[] {
    return [this.app.predictions.shown, this.app.stats.stats];
  }

  protected override render(): unknown {
    return this.#options();
  }

  #options(): unknown {
    const { tools } = this.app;
    const tool = tools.tool.value;
    if (tool === "brush" || tool === "eraser") return this.#size();
    if (tool === "correct") return this.#corrections();
    const hint = this.#oneClass() ?? HINTS[tool];
    return hint === undefined ? nothing : keyed(tool, html`<div class="tool-options is-hint">${hint}</div>`);
  }

  /** Unless the row of hints says it. */
  #oneClass(): TemplateResult | undefined {
    const { classes, only_class, preferences, config } = this.app;
    if (only_class === null || currentHint(config.task, preferences.value, true)?.id === ONE_CLASS.id) return undefined;
    const another = anotherClass(classes.value, only_class);
    const text = `${onlyClassText(only_class)}, so everything is predicted as it. Choose ${another} and mark a place of it.`;
    return html`<span data-testid="one-class" title=${text}>Mark a place of ${another} too</span>`;
  }

  #size(): TemplateResult {
    const { brush_radius } = this.app.tools;
    const diameter = 2 * brush_radius.value;
    // Small sizes need finer steps than large ones.
    const place = Math.log(brush_radius.value / SMALLEST_BRUSH_PX) / Math.log(LARGEST_BRUSH_PX / SMALLEST_BRUSH_PX);
    const set = ({ target }: Event): void => {
      if (!(target instanceof HTMLInputElement)) return;
      const radius = SMALLEST_BRUSH_PX * (LARGEST_BRUSH_PX / SMALLEST_BRUSH_PX) ** target.valueAsNumber;
      brush_radius.set(Math.max(Math.round(2 * radius), 1) / 2);
    };
    const release = ({ target }: Event): void => {
      if (target instanceof HTMLElement && !target.matches(":focus-visible")) target.blur();
    };
    return html`<div class="tool-options">
      <label><span>Size</span><input type="range" data-testid="brush-size" min="0" max="1" step="0.005" .value=${String(place)}
        aria-valuetext="${diameter} pixels" title="Size ([ and ], Alt+wheel)" @input=${set} @change=${release} /></label>
      <output data-testid="brush-diameter">${diameter} px</output>
      <span class="option-keys"><kbd>[</kbd><kbd>]</kbd></span>
    </div>`;
  }

  #corrections(): TemplateResult {
    const { correction } = this.app.tools;
    return html`<div class="tool-options">
      <div class="segmented is-tight" role="radiogroup" aria-label="What a click on a predicted region does">
        ${CORRECTION_NAMES.map(
          ({ correction: kind, node, name, note }) => html`<button role="radio" aria-checked=${kind === correction.value} data-testid="correct-${kind}"
            title=${note} @click=${() => correction.set(kind)}>${icon(node, 15)}<span>${name}</span></button>`,
        )}
      </div>
      <span class="option-keys">${(this.app.predictions.shown.value?.maps.length ?? 0) > 0 ? html`<kbd>Y</kbd> next` : "No prediction yet"}</span>
    </div>`;
  }
}

customElements.define("fewclick-tool-options", ToolOptions);
