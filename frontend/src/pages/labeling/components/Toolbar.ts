import { Eye, EyeOff, Maximize, Minus, Plus, Redo2, SlidersHorizontal, Undo2, type IconNode } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import type { Command } from "../../../state/keymap";
import { isPlain } from "../../../state/picture_look";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import "./ToolOptions";
import { icon } from "./icon";
import { fileName, percent } from "./text";

/** Above the image: which one it is, undo and redo, zoom, hide. */
export class Toolbar extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { annotations, navigator, labelling, ui, picture_view, preferences } = this.app;
    return [picture_view.panel_open, preferences, annotations.current, navigator.opened, labelling.advances, ui.overlay_hidden, ui.zoom];
  }

  protected override render(): TemplateResult {
    const { annotations, labelling, navigator, ui } = this.app;
    const { image } = navigator;
    const { can_redo } = annotations.current.value;
    const hidden = ui.overlay_hidden.value;
    const zoom = navigator.opened.value?.bitmap ? percent(ui.zoom.value) : "–";
    return html`
      <div class="toolbar" role="toolbar" aria-label="Image tools">
        <div class="image-name">
          ${image
            ? html`<span class="image-number" title="Image id">#<span data-testid="image-id">${image.id}</span></span>
                <span class="image-path" title=${image.path}>${fileName(image.path)}</span>
                ${image.width === null || image.height === null ? nothing : html`<span class="image-size">${image.width} × ${image.height}</span>`}`
            : nothing}
        </div>
        ${this.app.config.task === "segmentation" ? html`<fewclick-tool-options .app=${this.app}></fewclick-tool-options>` : nothing}
        <div class="tool-group">
          ${this.#tool("undo", Undo2, "Undo (Ctrl+Z)", !labelling.canUndo)}
          ${this.#tool("redo", Redo2, "Redo (Ctrl+Shift+Z)", !can_redo)}
        </div>
        <div class="tool-group">
          ${this.#tool("zoom-out", Minus, "Zoom out (−)")}
          <button class="tool zoom-figure" title=${this.tip("100 %", "actual-size")} aria-label="Zoom: ${zoom}. Show at 100 %"
            @click=${() => this.command("actual-size")}>${zoom}</button>
          ${this.#tool("zoom-in", Plus, "Zoom in (+)")}
          ${this.#tool("fit", Maximize, "Fit (Shift+1)")}
        </div>
        <div class="tool-group">
          <button class="tool ${isPlain(this.app.picture_view.look) ? "" : "is-marked"}" data-testid="view-panel-button"
            aria-expanded=${this.app.picture_view.panel_open.value} aria-label="Picture: brightness, contrast, bands"
            title=${this.tip("Picture: brightness, contrast, bands", "view-panel")} @click=${() => this.command("view-panel")}>${icon(SlidersHorizontal)}</button>
          <button class="tool" data-testid="hide-overlay" aria-pressed=${hidden} aria-label="Hide overlay and points"
            title=${this.tip("Hide overlay and points, hold or tap", "hide-overlay")} @click=${() => ui.overlay_hidden.set(!hidden)}>
            ${icon(hidden ? EyeOff : Eye)}
          </button>
        </div>
      </div>
    `;
  }

  #tool(command: Command, node: IconNode, name: string, disabled = false): TemplateResult {
    const label = name.replace(/ \(.*\)$/, "");
    return html`<button class="tool" data-testid=${command} aria-label=${label} title=${this.tip(label, command)} ?disabled=${disabled}
      @click=${() => this.command(command)}>${icon(node)}</button>`;
  }
}

customElements.define("fewclick-toolbar", Toolbar);
