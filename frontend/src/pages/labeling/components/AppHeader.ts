import { CircleHelp, CloudCheck, CloudOff, Download, Images, Moon, RefreshCw, Sun, SunMoon } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import { exportQuery, exportsFor, MASK_CHOICES, SCOPE_CHOICES, type MaskChoice, type ScopeChoice } from "../../../state/exports";
import { saveSign } from "../../../state/save_sign";
import type { Theme } from "../../../state/preferences";
import type { Readable } from "../../../state/signal";
import type { Task } from "../../../state/types";
import { AppView } from "./AppView";
import { healthNotice } from "./health_notice";
import { icon } from "./icon";
import { grouped } from "../../../state/words";
import { extractionLine, extractionNote } from "./text";

const THEME_ICONS = { auto: SunMoon, light: Sun, dark: Moon } as const;
const THEME_NAMES: Readonly<Record<Theme, string>> = { auto: "as the system", light: "light", dark: "dark" };
const TASK_NAMES: Readonly<Record<Task, string>> = {
  segmentation: "Segmentation",
  classification: "Classification",
  multilabel: "Multi-label",
};
const SAVE_ICONS = { saved: CloudCheck, saving: RefreshCw, offline: CloudOff, refused: CloudOff } as const;

/** Session, progress, the saved sign, and what concerns the whole session. */
export class AppHeader extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { stats, saves, signs, health, preferences, ui, commenting } = this.app;
    return [stats.stats, stats.tally.ahead, signs.labels, signs.comments, saves.status, saves.trouble, saves.is_kept, commenting.saves.status, health.health, preferences, ui.gallery_open, ui.banner_read, ui.page_outdated];
  }

  protected override render(): TemplateResult {
    const { config, ui, preferences } = this.app;
    const { theme } = preferences.value;
    return html`
      <header class="header">
        <h1><a class="brand" href="#/start" data-testid="logo" title="All sessions">
          <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="9" fill="var(--accent-solid)" />
            <path d="M7.5 16A8.5 8.5 0 0 1 16 7.5M24.5 16a8.5 8.5 0 0 1-8.5 8.5" fill="none" stroke="#fff"
              stroke-width="2.6" stroke-linecap="round" opacity=".6" />
            <circle cx="16" cy="16" r="4.4" fill="#fff" />
          </svg>
          <span>Fewclick</span>
        </a></h1>
        ${this.#session()}
        <span class="chip task-chip">${TASK_NAMES[config.task]}</span>
        ${this.#progress()} ${this.#extraction()}
        <span class="spacer">${healthNotice(this.app)}</span>
        ${this.#mlService()} ${this.#saveSign()}
        <span class="divider"></span>
        <button class="button ghost" data-testid="gallery" aria-pressed=${ui.gallery_open.value} title=${this.tip("Gallery", "gallery")}
          @click=${() => this.command("gallery")}>${icon(Images)}<span class="wide-only">Gallery</span></button>
        <button class="button ghost" data-testid="export" popovertarget="export-menu" title="Export annotations">
          ${icon(Download)}<span class="wide-only">Export</span>
        </button>
        <div id="export-menu" class="menu" popover aria-label="Export as" @click=${this.#closeMenu}>
          ${exportsFor(config.task).map(
            (offer) => html`<a data-testid="export-${offer.id}" download
              href=${this.app.exportUrl(exportQuery(offer, this.#masks, this.#scope))}><strong>${offer.name}</strong><span>${offer.note}</span></a>`,
          )}
          ${config.task === "segmentation" ? this.#maskChoices() : nothing}
        </div>
        <button class="button ghost icon-only" data-testid="theme" aria-label="Colours: ${THEME_NAMES[theme]}"
          title=${this.tip(`Colours: ${THEME_NAMES[theme]}`, "theme")} @click=${() => this.command("theme")}>${icon(THEME_ICONS[theme])}</button>
        <button class="button ghost icon-only" data-testid="help" aria-label="All keys" title=${this.tip("All keys", "help")}
          @click=${() => this.command("help")}>${icon(CircleHelp)}</button>
      </header>
    `;
  }

  #session(): TemplateResult {
    const { config, sessions } = this.app;
    if (sessions.length < 2) return html`<span class="session-name" title="Session">${config.session.name}</span>`;
    return html`<select class="select session-select" data-testid="session" aria-label="Session" @change=${this.#switchSession}>
      ${sessions.map((link) => html`<option value=${link.url} ?selected=${link.current}>${link.name}</option>`)}
    </select>`;
  }

  #progress(): TemplateResult | typeof nothing {
    const stats = this.app.stats.stats.value;
    if (stats === null) return nothing;
    const { skipped, unlabeled, undetermined } = stats.by_status;
    const { failed } = stats.by_features;
    // Without those that cannot be used.
    const total = stats.by_status.labeled + skipped + unlabeled + undetermined;
    const labeled = Math.min(Math.max(stats.by_status.labeled + this.app.stats.tally.ahead.value, 0), total);
    const share = total === 0 ? 0 : labeled / total;
    const more = [skipped > 0 ? `${skipped} skipped` : "", undetermined > 0 ? `${undetermined} undetermined` : "", failed > 0 ? `${failed} cannot be used (see the gallery)` : ""];
    return html`<button class="progress" data-testid="progress-open" title=${this.tip(more.filter(Boolean).join(", ") || "Progress: pace, time to finish, training", "progress")}
      @click=${() => this.command("progress")}>
      <span class="progress-track" aria-hidden="true"><span class="progress-fill" style="transform: scaleX(${share})"></span></span>
      <span data-testid="progress">${grouped(labeled)} / ${grouped(total)} labelled</span>
    </button>`;
  }

  #extraction(): TemplateResult | typeof nothing {
    const health = this.app.health.health.value;
    if (health === null || health === "unreachable") return nothing;
    const line = extractionLine(health.extraction);
    if (line === null) return nothing;
    const { state } = health.extraction;
    return html`<span class="extraction ${state === "failed" || state === "stopped" ? "is-bad" : ""}" data-testid="extraction"
      data-state=${state} role="status" title=${extractionNote(health.extraction)}>${line}</span>`;
  }

  #mlService(): TemplateResult | typeof nothing {
    const health = this.app.health.health.value;
    if (health === null || health === "unreachable") return nothing;
    const { alive, starting } = health.ml_service;
    if (starting) {
      return html`<span class="live" data-testid="ml-service" role="status" title="Labels are saved; predictions follow in a moment">
        <span class="dot"></span>Starting…</span>`;
    }
    return html`<span class="live ${alive ? "is-good" : "is-bad"}" data-testid="ml-service" role="status"
      title=${alive ? "The ML service learns from every change" : "No ML service: labels are saved, but nothing learns from them"}>
      <span class="dot"></span>${alive ? "Learning live" : "Not learning"}
    </span>`;
  }

  #saveSign(): TemplateResult {
    const { saves, commenting, signs } = this.app;
    const [labels, comments] = [saves, commenting.saves];
    const sign = saveSign([
      { status: signs.labels.value, trouble: labels.trouble.value, is_kept: labels.is_kept.value },
      { status: signs.comments.value, trouble: comments.trouble.value, is_kept: true },
    ]);
    // The attribute is for programs: it says at once what the words say only once it lasts.
    const status = [labels.status.value, comments.status.value].includes("saving") && sign.status === "saved" ? "saving" : sign.status;
    return html`<span class="save-sign is-${sign.status}" data-testid="save-sign" data-status=${status} role="status" aria-live="polite" title=${sign.title}>
      ${icon(SAVE_ICONS[sign.status], 16)}<span>${sign.text}</span>
    </span>`;
  }

  #masks: MaskChoice = "merged";
  #scope: ScopeChoice = "labeled";

  #maskChoices(): TemplateResult {
    return html`${this.#choice("Masks say", "export-masks", MASK_CHOICES, this.#masks, (chosen) => (this.#masks = chosen))}
      ${this.#choice("Masks of", "export-scope", SCOPE_CHOICES, this.#scope, (chosen) => (this.#scope = chosen))}`;
  }

  #choice<Value extends string>(
    name: string, test_id: string, texts: Readonly<Record<Value, string>>, chosen: Value, choose: (value: Value) => void,
  ): TemplateResult {
    const change = ({ target }: Event): void => {
      choose((target as HTMLSelectElement).value as Value);
      this.requestUpdate();
    };
    return html`<label class="menu-choice"><span>${name}</span>
      <select class="select" data-testid=${test_id} @change=${change}>
        ${Object.entries<string>(texts).map(([value, text]) => html`<option value=${value} ?selected=${value === chosen}>${text}</option>`)}
      </select></label>`;
  }

  readonly #closeMenu = (event: Event): void => {
    const is_choice = event.target instanceof Element && event.target.closest("a") !== null;
    if (is_choice && this.app.health.health.value === "unreachable") {
      // The browser would say nothing, or save its page of an error.
      event.preventDefault();
      this.app.toasts.show("warning", "Nothing was exported: exports are made by the server, which does not answer. Start it again the way you started it.");
    }
    if (is_choice && event.currentTarget instanceof HTMLElement) event.currentTarget.hidePopover();
  };

  readonly #switchSession = (event: Event): void => {
    if (event.target instanceof HTMLSelectElement) location.assign(new URL(event.target.value, document.baseURI));
  };
}

customElements.define("fewclick-header", AppHeader);
