import { Info, RotateCw, X } from "lucide";
import { html, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";

import type { App } from "../../../app";
import type { Health } from "../../../state/types";
import { icon } from "./icon";

interface Notice {
  readonly name: "unreachable" | "outdated" | "starting" | "no-features" | "no-service";
  readonly kind: "" | "is-bad" | "is-warn";
  readonly headline: string;
  /** The same where there is hardly any room. */
  readonly short: string;
  readonly more: TemplateResult;
}

/**
 * Which part of the program does not work, and what to do about it; it can be put away until something else is the matter.
 * In the room that the header leaves free: nothing is covered and nothing moves while people go on labelling.
 */
export function healthNotice({ health, stats, ui }: App): unknown {
  const found = noticeOf(health.health.value, ui.page_outdated.value);
  // The count would push it aside.
  if (stats.stats.value === null && found?.name !== "unreachable") return nothing;
  if (found === null || ui.banner_read.value === found.name) return nothing;
  const is_outdated = found.name === "outdated";
  // Who listens hears all of it at once.
  // Another notice is another element, not one that moves.
  return keyed(found.name, html`<div class="banner ${found.kind}" role=${found.kind === "" || is_outdated ? "status" : "alert"} data-testid=${is_outdated ? "page-outdated" : "banner"}>
    <strong class="banner-headline" data-short=${found.short}><span>${found.headline}</span></strong><span class="visually-hidden">. ${found.more}</span>
    ${is_outdated ? reload() : whatToDo(found)}
    <button class="button small ghost icon-only" aria-label="Put this notice away" title="Put this notice away"
      data-testid="banner-away" @click=${() => ui.banner_read.set(found.name)}>${icon(X, 14)}</button></div>`);
}

function reload(): TemplateResult {
  return html`<button class="button small" data-testid="reload" aria-label="Reload the page" title="Reload the page: what you labelled is saved"
    @click=${() => location.reload()}>${icon(RotateCw, 14)}<span class="banner-word">Reload<span class="banner-rest"> the page</span></span></button>`;
}

function whatToDo({ headline, more }: Notice): TemplateResult {
  return html`<button class="button small" data-testid="banner-more" aria-label="What to do" title="What to do" popovertarget="banner-more">${icon(Info, 14)}<span class="banner-word">What to do</span></button>
    <div id="banner-more" class="menu" popover aria-label=${headline}><p>${more}</p></div>`;
}

function noticeOf(health: Health | "unreachable" | null, is_outdated: boolean): Notice | null {
  if (health === "unreachable") {
    return { name: "unreachable", kind: "is-bad", headline: "The server does not answer", short: "No server", more: html`What you label is kept in this
      browser and sent when it is back. Start it again the way you started it.` }; // prettier-ignore
  }
  if (is_outdated) return { name: "outdated", kind: "is-warn", headline: "The server runs another version", short: "New version", more: html`What you labelled is saved.` };
  if (health?.ml_service.starting === true) {
    return { name: "starting", kind: "", headline: "The ML service is starting", short: "Starting", more: html`You can label already: predictions follow in a few seconds.` };
  }
  if (health?.extraction.state === "failed" && health.ml_service.alive) {
    return { name: "no-features", kind: "is-warn", headline: "No features can be made", short: "No features", more: html`${health.extraction.message}` };
  }
  if (health !== null && !health.ml_service.alive) {
    return { name: "no-service", kind: "is-warn", headline: "The ML service is not running", short: "Not learning", more: html`Labels are saved, but
      predictions wait. <code>fewclick up</code> starts it again by itself within
      seconds; where the parts run one by one, start <code>python -m ml_service.train</code>.` }; // prettier-ignore
  }
  return null;
}
