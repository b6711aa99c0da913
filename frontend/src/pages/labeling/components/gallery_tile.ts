import { BadgeCheck, Check, MessageSquareText } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../../../app";
import type { ImageInfo, LabelClass } from "../../../state/types";
import { icon } from "./icon";
import { fileName, percent } from "./text";

/** A tile that is scrolled by sooner asks for no picture. */
const LOAD_AFTER_MS = 100;

/** A picture that is asked for once it has stayed in sight; out of sight, the request is cancelled. Plain, as many come and go. */
export class TilePicture extends HTMLElement {
  static #not_before_ms = 0;
  src = "";
  #timer: ReturnType<typeof setTimeout> | null = null;
  #image: HTMLImageElement | null = null;

  /** Tiles go by quickly: nobody sees their pictures. */
  static wait(): void {
    TilePicture.#not_before_ms = performance.now() + LOAD_AFTER_MS;
  }

  connectedCallback(): void {
    this.#timer = setTimeout(() => this.#load(), LOAD_AFTER_MS);
  }

  disconnectedCallback(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    // Without it the browser goes on loading.
    this.#image?.removeAttribute("src");
    this.#image?.remove();
    this.#image = null;
  }

  #load(): void {
    const wait_ms = TilePicture.#not_before_ms - performance.now();
    if (wait_ms > 0) {
      this.#timer = setTimeout(() => this.#load(), wait_ms + 1);
      return;
    }
    const image = new Image();
    image.decoding = "async";
    image.alt = "";
    image.draggable = false;
    image.onload = () => image.classList.add("is-there");
    image.src = this.src;
    this.#image = image;
    this.append(image);
  }
}

customElements.define("fewclick-tile-picture", TilePicture);

export interface TileState {
  readonly place: number;
  readonly total: number;
  readonly selected: boolean;
  readonly focused: boolean;
}

/** The place of an image whose tile is still to come. */
export function emptyTile(): TemplateResult {
  return html`<div class="tile is-loading" role="presentation"></div>`;
}

/** One image of the gallery: what was said of it stands on the picture, what is predicted below it. */
export function tile(app: App, image_id: number, image: ImageInfo | null, state: TileState): TemplateResult {
  const { place, total, selected, focused } = state;
  const is_current = app.navigator.image?.id === image_id;
  return html`<div class="tile ${image ? `is-${image.status}` : "is-loading"} ${image?.features === "failed" ? "is-failed" : ""} ${focused ? "is-focused" : ""}"
    id="tile-${place}" role="option" data-testid="gallery-item-${image_id}" data-place=${place} aria-selected=${selected} aria-posinset=${place + 1}
    aria-setsize=${total} aria-current=${is_current ? "true" : "false"}
    title=${image?.failure ?? image?.path ?? ""}>
    <span class="visually-hidden">Image ${image_id}${image ? spoken(app, image) : ""}</span>
    <span class="tile-picture">
      ${image?.features === "failed"
        ? html`<span class="tile-failure">${image.failure ?? "Could not be read"}</span>`
        : html`<fewclick-tile-picture .src=${app.thumbnailUrl(image_id, 256)}></fewclick-tile-picture>`}
      <span class="tile-check" data-check></span>
      ${image ? chip(app, image) : nothing}
    </span>
    <span class="tile-caption"><span class="tile-name">${image ? fileName(image.path) : ""}</span>${commentSign(image)}<span class="tile-id">#${image_id}</span></span>
    <span class="tile-status">${image ? secondLine(app, image) : ""}</span>
  </div>`;
}

function commentSign(image: ImageInfo | null): TemplateResult | typeof nothing {
  if (!image?.comment) return nothing;
  return html`<span class="tile-comment" data-testid="tile-comment" role="img" aria-label="Comment: ${image.comment}" title=${image.comment}>${icon(MessageSquareText, 13)}</span>`;
}

function labelled(app: App, { class_id, class_ids }: ImageInfo): LabelClass[] {
  const held = class_ids ?? (class_id === null ? [] : [class_id]);
  return app.classes.value.filter(({ id }) => held.includes(id));
}

function chip(app: App, image: ImageInfo): TemplateResult | typeof nothing {
  if (app.config.task === "segmentation") return nothing;
  if (image.status === "skipped" || image.status === "undetermined") {
    return html`<span class="tile-chip">${image.status === "skipped" ? "Skipped" : "Undetermined"}</span>`;
  }
  if (image.status !== "labeled") return nothing;
  const [first, ...others] = labelled(app, image);
  const is_accepted = image.origin === "accepted";
  const text = first ? `${first.name}${others.length > 0 ? ` +${others.length}` : ""}` : "None";
  return html`<span class="tile-chip is-label ${is_accepted ? "is-accepted" : ""}" data-testid="tile-label" data-origin=${image.origin ?? ""}
    style="--class-color: ${first?.color ?? "var(--text-faint)"}" title=${is_accepted ? "Accepted as predicted, not reviewed" : "Reviewed by a person"}>
    <span class="swatch"></span><span class="tile-chip-name">${text}</span>${is_accepted ? icon(Check, 13) : icon(BadgeCheck, 13)}</span>`;
}

function secondLine(app: App, image: ImageInfo): TemplateResult | string {
  if (image.features === "failed") return "Failed";
  if (app.config.task === "segmentation") return segmentationLine(image);
  if (image.features === "pending" && image.uncertainty === null) return "Being prepared";
  if (image.uncertainty === null) return "No prediction yet";
  const ids = image.predicted_class_ids ?? (image.predicted_class_id === null ? [] : [image.predicted_class_id]);
  const predicted = app.classes.value.filter(({ id }) => ids.includes(id));
  const [first, ...others] = predicted;
  const name = first ? `${first.name}${others.length > 0 ? ` +${others.length}` : ""}` : "none";
  const p = 1 - image.uncertainty;
  return html`<span class="tile-prediction" data-testid="tile-prediction" style="--class-color: ${first?.color ?? "var(--text-faint)"}; --p: ${p}">
    <span class="swatch is-ring"></span><span class="tile-prediction-name">${name}</span><span class="tile-figure">${percent(p)}</span></span>`;
}

function segmentationLine(image: ImageInfo): string {
  if (image.status === "skipped") return "Skipped";
  if (image.status === "undetermined") return "Undetermined";
  if (image.status === "labeled") return `Labelled · ${image.point_count} points`;
  if (image.features === "pending") return "Being prepared";
  return image.uncertainty === null ? "Unlabelled" : `Unlabelled · ${percent(1 - image.uncertainty)} sure`;
}

/** For those who do not see the tile: what its picture and its signs say. The rest is read from it. */
function spoken(app: App, image: ImageInfo): string {
  if (image.features === "failed") return ", cannot be used";
  if (app.config.task === "segmentation") return "";
  const names = labelled(app, image).map(({ name }) => name).join(", ");
  if (image.status !== "labeled") return `, ${image.status}`;
  return `, ${image.origin === "accepted" ? "accepted as predicted" : "reviewed"}: ${names || "none of the classes"}`;
}
