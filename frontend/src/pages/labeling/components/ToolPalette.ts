import { Brush, Check, CircleCheckBig, Crosshair, Eraser, Hand, MousePointer2, PaintBucket, Pentagon, Replace, Square, type IconNode } from "lucide";
import { html, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";

import type { Command } from "../../../state/keymap";
import type { Readable } from "../../../state/signal";
import { LARGEST_BRUSH_PX, SMALLEST_BRUSH_PX, type Correction, type ToolName } from "../../../state/tools";
import { AppView } from "./AppView";
import { icon } from "./icon";

interface ToolButton {
  readonly tool: ToolName;
  readonly command: Command;
  readonly node: IconNode;
  readonly name: string;
  readonly note: string;
}

/** In groups. */
const TOOLS: readonly (readonly ToolButton[])[] = [
  [
    { tool: "points", command: "point-mode", node: Crosshair, name: "Points", note: "a click adds one, a right click removes it" },
    { tool: "select", command: "tool-select", node: MousePointer2, name: "Select", note: "move, change and remove points and regions" },
    { tool: "hand", command: "point-mode", node: Hand, name: "Hand", note: "a drag moves the image; so does Space with any tool" },
  ],
  [
    { tool: "brush", command: "tool-brush", node: Brush, name: "Brush", note: "paint the chosen class" },
    { tool: "eraser", command: "tool-eraser", node: Eraser, name: "Eraser", note: "remove what was painted" },
    { tool: "polygon", command: "tool-polygon", node: Pentagon, name: "Polygon", note: "click corner after corner" },
    { tool: "box", command: "tool-box", node: Square, name: "Box", note: "drag from corner to corner" },
  ],
  [{ tool: "correct", command: "tool-correct", node: CircleCheckBig, name: "Predicted region", note: "accept, erase or fill it" }],
];

const CORRECTION_NAMES: readonly { readonly correction: Correction; readonly node: IconNode; readonly name: string; readonly note: string }[] = [
  { correction: "accept", node: Check, name: "Accept", note: "The region is what is predicted" },
  { correction: "erase", node: Replace, name: "Erase", note: "The region is the other class, or the chosen one (right click)" },
  { correction: "fill", node: PaintBucket, name: "Fill", note: "Accept it with all holes in it (Shift + click)" },
];

const HINTS: Readonly<Partial<Record<ToolName, TemplateResult>>> = {
  select: html`Drag moves, <kbd>Shift</kbd> adds, <kbd>Del</kbd> removes, arrow keys nudge, digits change the class`,
  polygon: html`<kbd>Enter</kbd> or a double click closes, <kbd>⌫</kbd> takes a corner back, <kbd>Esc</kbd> cancels`,
  box: html`Drag from corner to corner; <kbd>Shift</kbd> makes a square`,
};

/** Beside the image in a segmentation session: the tools, and what the one at work can be set to. */
export class ToolPalette extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { tools, navigator, predictions } = this.app;
    return [tools.tool, tools.brush_radius, tools.correction, navigator.opened, predictions.shown];
  }

  protected override render(): TemplateResult {
    return html`<div class="tool-palette" role="toolbar" aria-orientation="vertical" aria-label="Tools">
        ${TOOLS.map((group) => html`<div class="palette-group">${group.map((button) => this.#button(button))}</div>`)}
      </div>
      ${this.#options()}`;
  }

  #button({ tool, command, node, name, note }: ToolButton): TemplateResult {
    const { tools } = this.app;
    const pressed = tools.tool.value === tool;
    const choose = (): void => {
      if (tool === "hand") tools.tool.set(pressed ? "points" : "hand");
      else this.command(command);
    };
    return html`<button class="tool" data-testid=${tool === "points" ? "point-mode" : `tool-${tool}`} aria-pressed=${pressed} aria-label=${name}
      tabindex=${pressed ? 0 : -1} title="${this.tip(name, command)}: ${note}" @click=${choose}>${icon(node)}</button>`;
  }

  #options(): unknown {
    const { tools } = this.app;
    const tool = tools.tool.value;
    if (tool === "brush" || tool === "eraser") return this.#size();
    if (tool === "correct") return this.#corrections();
    const hint = HINTS[tool];
    return hint === undefined ? nothing : keyed(tool, html`<div class="tool-options is-hint">${hint}</div>`);
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

customElements.define("fewclick-tool-palette", ToolPalette);
