import { Brush, CircleCheckBig, Eraser, Eye, EyeOff, FileInput, Layers, Pencil, Pentagon, Square, Trash2, type IconNode } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import { shapeOf, type Region, type RegionKind } from "../../../state/regions";
import { areaOf } from "../../../state/shapes";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { icon } from "./icon";

const KINDS: Readonly<Record<RegionKind, readonly [IconNode, string]>> = {
  stroke: [Brush, "Stroke"],
  polygon: [Pentagon, "Polygon"],
  box: [Square, "Box"],
  mask: [Layers, "Mask"],
};
/** Rows at first: a long list costs time with every stroke. */
const FEW = 40;

/** Regions of the image, the topmost first. */
export class RegionList extends AppView {
  #all_of: number | null = null;

  protected watched(): readonly Readable<unknown>[] {
    const { annotations, classes, tools } = this.app;
    return [annotations.current, classes, tools.selection, tools.hidden];
  }

  protected override render(): TemplateResult | typeof nothing {
    const { annotations, tools } = this.app;
    const { regions } = annotations;
    if (regions.length === 0) return nothing;
    const all = this.#all_of === annotations.image_id.value;
    const shown = regions.toReversed().slice(0, all ? regions.length : FEW);
    const more = regions.length - shown.length;
    const all_hidden = regions.every(({ id }) => tools.hidden.value.has(id));
    return html`<section class="card region-card" aria-labelledby="regions-title">
      <div class="card-head"><h2 id="regions-title">Regions</h2><span class="count" data-testid="region-count">${regions.length}</span>
        <button class="button ghost icon-only small" aria-pressed=${all_hidden} aria-label="Hide all regions" title=${all_hidden ? "Show all regions" : "Hide all regions"}
          @click=${() => tools.hidden.set(new Set(all_hidden ? [] : regions.map(({ id }) => id)))}>${icon(all_hidden ? EyeOff : Eye, 16)}</button>
      </div>
      <ul class="region-list" data-testid="region-list" aria-label="Regions, the topmost first" @keydown=${this.#key}>
        ${shown.map((region) => this.#row(region))}
      </ul>
      ${more > 0 ? html`<button class="button ghost small" @click=${this.#showAll}>Show ${more.toLocaleString("en")} more</button>` : nothing}
    </section>`;
  }

  #row(region: Region): TemplateResult {
    const { tools, classes } = this.app;
    const { id, class_id, kind, origin } = region;
    const label_class = classes.value.find((entry) => entry.id === class_id);
    const name = class_id === null ? "Eraser" : (label_class?.name ?? "?");
    const shape = shapeOf(region);
    const area = shape === null ? "" : `${areaText(areaOf(shape))} px²`;
    const hidden = tools.hidden.value.has(id);
    const selected = tools.selection.value.regions.includes(id);
    const [node, kind_name] = class_id === null ? [Eraser, KINDS[kind][1]] : KINDS[kind];
    return html`<li class="region-row ${selected ? "is-selected" : ""} ${hidden ? "is-hidden" : ""}" style="--class-color: ${label_class?.color ?? "transparent"}">
      <button class="region-main" data-region-id=${id} aria-pressed=${selected} title="${kind_name}, ${originText(origin)}: select it" @click=${(event: MouseEvent) => this.#select(id, event.shiftKey)}>
        <span class="swatch"></span>${icon(node, 15)}<span class="class-name">${name}</span>${sign(origin)}<span class="area">${area}</span>
      </button>
      <button class="button ghost icon-only small" aria-pressed=${hidden} aria-label="Hide ${name}" title=${hidden ? "Show" : "Hide"} @click=${() => tools.toggleHidden(id)}>
        ${icon(hidden ? EyeOff : Eye, 15)}</button>
      <button class="button ghost icon-only small" data-testid="delete-region" aria-label="Delete ${name}" title="Delete (Del)" @click=${({ timeStamp }: Event) => this.#remove(id, timeStamp)}>
        ${icon(Trash2, 15)}</button>
    </li>`;
  }

  #select(region_id: number, adds: boolean): void {
    const { tools } = this.app;
    tools.tool.set("select");
    const { points, regions } = tools.selection.value;
    if (!adds) tools.selection.set({ points: [], regions: [region_id] });
    else tools.selection.set({ points, regions: regions.includes(region_id) ? regions.filter((id) => id !== region_id) : [...regions, region_id] });
  }

  readonly #showAll = (): void => {
    this.#all_of = this.app.annotations.image_id.value;
    this.requestUpdate();
  };

  /** Up and down go from row to row, Delete removes, H hides. */
  readonly #key = (event: KeyboardEvent): void => {
    const row = event.target instanceof Element ? event.target.closest(".region-row") : null;
    const mains = [...this.querySelectorAll<HTMLElement>(".region-main")];
    const main = row?.querySelector<HTMLElement>(".region-main");
    if (!main || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = mains.indexOf(main);
    const id = Number(main.dataset.regionId);
    if (event.key === "ArrowDown") mains[at + 1]?.focus();
    else if (event.key === "ArrowUp") mains[at - 1]?.focus();
    else if (event.key === "Delete" || event.key === "Backspace") void this.#removeFrom(id, at, event.timeStamp);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  /** Not before a frame has shown the list of this image: what was meant was another one. */
  #remove(region_id: number, at_ms: number): void {
    const { navigator, regions, toasts } = this.app;
    if (navigator.on_screen.wasShown(at_ms)) regions.remove(region_id);
    else toasts.show("info", "Nothing was removed: the list of the image before was still on screen.");
  }

  /** The focus goes to the row that takes its place. */
  async #removeFrom(region_id: number, at: number, at_ms: number): Promise<void> {
    this.#remove(region_id, at_ms);
    await this.updateComplete;
    const mains = [...this.querySelectorAll<HTMLElement>(".region-main")];
    (mains[at] ?? mains.at(-1))?.focus();
  }
}

function sign(origin: Region["origin"]): TemplateResult | typeof nothing {
  const signs: Partial<Record<Region["origin"], readonly [IconNode, string]>> = {
    accepted: [CircleCheckBig, "Accepted from the prediction"],
    corrected: [Pencil, "Predicted or imported, corrected by hand"],
    imported: [FileInput, "Imported"],
  };
  const [node, text] = signs[origin] ?? [];
  return node ? html`<span class="origin-sign" role="img" aria-label=${text ?? ""} title=${text ?? ""}>${icon(node, 14)}</span>` : nothing;
}

function originText(origin: Region["origin"]): string {
  return { human: "drawn by hand", accepted: "accepted from the prediction", imported: "imported", corrected: "corrected by hand" }[origin];
}

function areaText(area: number): string {
  return area >= 1e6 ? `${(area / 1e6).toFixed(1)} M` : area >= 1e4 ? `${Math.round(area / 1e3)} k` : Math.round(area).toLocaleString("en");
}

customElements.define("fewclick-region-list", RegionList);
