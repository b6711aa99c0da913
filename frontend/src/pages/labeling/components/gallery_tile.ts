import { BadgeCheck, Check, MessageSquareText } from "lucide";
import { html, noChange, nothing, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";

import type { App } from "../../../app";
import { above } from "../../../state/class_tree";
import type { ImageInfo, LabelClass } from "../../../state/types";
import { counted } from "../../../state/words";
import { icon } from "./icon";
import { fileName, percent } from "./text";
import "./tile_picture";

export interface TileState {
  readonly place: number;
  readonly total: number;
  /** Of the image; null: not known yet, or not to be drawn yet. */
  readonly id: number | null;
  readonly image: ImageInfo | null;
  /** In the grid, CSS pixels. */
  readonly at: readonly [number, number];
  readonly selected: boolean;
  readonly focused: boolean;
}

/**
 * One image of the gallery: what was said of it stands on the picture, what is predicted below it. An element shows one
 * image after the other. While it may not be drawn, what was on it before stays there unseen: to be changed, not made anew.
 */
export function tile(app: App, { place, total, id, image, at: [left, top], selected, focused }: TileState): TemplateResult {
  const is_blank = id === null;
  const kind = `${image ? `is-${image.status}` : "is-loading"} ${image?.features === "failed" ? "is-failed" : ""}`;
  const is_current = id !== null && app.navigator.image?.id === id;
  return html`<div class="tile ${is_blank ? "is-loading is-blank" : kind} ${focused ? "is-focused" : ""}" style="left: ${left}px; top: ${top}px"
    id=${is_blank ? nothing : `tile-${place}`} role=${is_blank ? "presentation" : "option"} data-testid=${is_blank ? nothing : `gallery-item-${id}`}
    data-place=${is_blank ? nothing : place} aria-selected=${is_blank ? nothing : selected} aria-posinset=${is_blank ? nothing : place + 1}
    aria-setsize=${is_blank ? nothing : total} aria-current=${is_blank ? nothing : is_current ? "true" : "false"}
    title=${is_blank ? "" : (image?.failure ?? image?.path ?? "")}>${is_blank ? noChange : guard([id, image, app.classes.value], () => content(app, id, image))}</div>`;
}

function content(app: App, image_id: number, image: ImageInfo | null): TemplateResult {
  return html`<span class="visually-hidden">Image ${image_id}${image ? spoken(app, image) : ""}</span>
    <span class="tile-picture">
      ${image?.features === "failed"
        ? html`<span class="tile-failure">${image.failure ?? "Could not be read"}</span>`
        : html`<fewclick-tile-picture .src=${app.thumbnailUrl(image_id, 256)} .overlay=${overlayUrl(app, image)}></fewclick-tile-picture>`}
      <span class="tile-check" data-check></span>
      ${image ? chip(app, image) : nothing}
    </span>
    <span class="tile-caption"><span class="tile-name">${image ? fileName(image.path) : ""}</span>${commentSign(image)}<span class="tile-id">#${image_id}</span></span>
    <span class="tile-status">${image ? secondLine(app, image) : ""}</span>`;
}

/** What is predicted of each place, over the picture; "" where there is nothing of the kind. */
function overlayUrl(app: App, image: ImageInfo | null): string {
  if (app.config.task !== "segmentation" || image === null) return "";
  return image.uncertainty === null ? "" : app.overlayUrl(image.id, image.predicted_version ?? 0);
}

function commentSign(image: ImageInfo | null): TemplateResult | typeof nothing {
  if (!image?.comment) return nothing;
  return html`<span class="tile-comment" data-testid="tile-comment" role="img" aria-label="Comment: ${image.comment}" title=${image.comment}>${icon(MessageSquareText, 13)}</span>`;
}

function labelled(app: App, { class_id, class_ids }: ImageInfo): LabelClass[] {
  const held = class_ids ?? (class_id === null ? [] : [class_id]);
  return app.classes.value.filter(({ id }) => held.includes(id));
}

/** Without those that others of them imply: a tile has room for one name. */
function lowest(app: App, held: readonly LabelClass[]): readonly LabelClass[] {
  const implied = new Set(held.flatMap(({ id }) => above(app.classes.value, id)));
  return held.filter(({ id }) => !implied.has(id));
}

function chip(app: App, image: ImageInfo): TemplateResult | typeof nothing {
  if (app.config.task === "segmentation") return nothing;
  if (image.status === "skipped" || image.status === "undetermined") {
    return html`<span class="tile-chip">${image.status === "skipped" ? "Skipped" : "Undetermined"}</span>`;
  }
  if (image.status !== "labeled") return nothing;
  const [first, ...others] = lowest(app, labelled(app, image));
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
  const [first, ...others] = lowest(app, app.classes.value.filter(({ id }) => ids.includes(id)));
  const name = first ? `${first.name}${others.length > 0 ? ` +${others.length}` : ""}` : "none";
  const p = 1 - image.uncertainty;
  return html`<span class="tile-prediction" data-testid="tile-prediction" style="--class-color: ${first?.color ?? "var(--text-faint)"}; --p: ${p}">
    <span class="swatch is-ring"></span><span class="tile-prediction-name">${name}</span><span class="tile-figure">${percent(p)}</span></span>`;
}

function labelCounts({ point_count, region_count = 0 }: ImageInfo): string[] {
  return [point_count > 0 ? counted(point_count, "point") : "", region_count > 0 ? counted(region_count, "region") : ""].filter(Boolean);
}

function segmentationLine(image: ImageInfo): string {
  if (image.status === "skipped") return "Skipped";
  if (image.status === "undetermined") return "Undetermined";
  if (image.status === "labeled") return ["Labelled", ...labelCounts(image)].join(" · ");
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
