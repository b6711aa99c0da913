import "../../styles/start.css";

import { ArrowRight, Check, Copy, FolderOpen, Images, RefreshCw, Shapes, Tag, Tags } from "lucide";
import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { Readable } from "../../state/signal";
import { ago, cardTitle, reviewedShare, type FoundSession, type SessionProgress, type StartPage } from "../../state/start";
import type { Task } from "../../state/types";
import { counted } from "../../state/words";
import { icon } from "../labeling/components/icon";

const TASKS: Readonly<Record<Task, { readonly name: string; readonly node: typeof Tag }>> = {
  segmentation: { name: "Segmentation", node: Shapes },
  classification: { name: "Classification", node: Tag },
  multilabel: { name: "Multi-label", node: Tags },
};
const COPIED_MS = 1_800;

/** The sessions that can be opened, and how far they are. */
export class StartView extends LitElement {
  static override properties: PropertyDeclarations = { page: { attribute: false }, problem: { attribute: false }, copied: { state: true } };
  /** null until it is known. */
  declare page: Readable<StartPage | null>;
  declare problem: Readable<string | null>;
  /** Command that lies on the clipboard. */
  declare copied: string | null;
  #unsubscribe: (() => void)[] = [];

  constructor() {
    super();
    this.copied = null;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unsubscribe = [this.page, this.problem].map((signal) => signal.subscribe(() => this.requestUpdate()));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }

  protected override render(): TemplateResult {
    const { value: page } = this.page;
    return html`<main class="start" data-testid="start-page">
      <header class="start-head">
        <h1 class="brand">
          <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="9" fill="var(--accent-solid)" />
            <path d="M7.5 16A8.5 8.5 0 0 1 16 7.5M24.5 16a8.5 8.5 0 0 1-8.5 8.5" fill="none" stroke="#fff"
              stroke-width="2.6" stroke-linecap="round" opacity=".6" />
            <circle cx="16" cy="16" r="4.4" fill="#fff" />
          </svg>
          <span>Fewclick</span>
        </h1>
        <p>Choose a session to go on with.</p>
      </header>
      ${this.problem.value === null ? nothing : html`<p class="banner is-bad" role="alert">${this.problem.value}</p>`}
      ${page === null ? this.#loading() : this.#sessions(page)}
      <footer class="start-foot">
        <p>${icon(FolderOpen, 16)} A new session: <code>fewclick up --config FILE.yaml</code>, where the file names a task, a folder of images
          and classes.</p>
        ${page?.has_root === false ? html`<p>All sessions of a folder show here with <code>fewclick up --sessions-root FOLDER</code>.</p>` : nothing}
      </footer>
    </main>`;
  }

  #loading(): TemplateResult {
    return this.problem.value === null
      ? html`<p class="start-loading" role="status">${icon(RefreshCw, 16)} Looking for sessions…</p>`
      : html``;
  }

  #sessions({ sessions, more }: StartPage): TemplateResult {
    const [open, closed] = [sessions.filter(({ url }) => url !== null), sessions.filter(({ url }) => url === null)];
    if (sessions.length === 0) {
      return html`<div class="empty" data-testid="no-sessions">${icon(FolderOpen, 24)}<h2>No session yet</h2>
        <p>The command below makes the first one; it shows here as soon as it is there.</p></div>`;
    }
    return html`
      <ul class="session-list" aria-label="Sessions of this server">${repeat(open, ({ url }) => url, (found) => html`<li>${this.#card(found)}</li>`)}</ul>
      ${closed.length > 0
        ? html`<h2 class="start-title">Not open here</h2>
            <p class="start-note">This server does not serve these. Run the command of one, then open the address that it prints.</p>
            <ul class="session-list is-closed" aria-label="Other sessions">
              ${repeat(closed, ({ command }) => command, (found) => html`<li>${this.#card(found)}</li>`)}
            </ul>`
        : nothing}
      ${more > 0 ? html`<p class="start-note">And ${more.toLocaleString("en")} more in the folder.</p>` : nothing}
    `;
  }

  #card(found: FoundSession): TemplateResult {
    const { progress, url, folder } = found;
    if (progress === null) {
      return html`<article class="session-card is-broken" data-testid="session-card" data-folder=${folder}>
        <h3>${folder}</h3><p class="session-problem">Cannot be opened: ${found.problem}.</p></article>`;
    }
    const { name, node } = TASKS[progress.task];
    const title = cardTitle(found, this.page.value?.sessions ?? []);
    return html`<article class="session-card" data-testid="session-card" data-task=${progress.task} data-folder=${folder}>
      ${url === null ? nothing : this.#thumbnails(found)}
      <div class="session-body">
        <div class="session-line">
          <h3>${url === null ? title : html`<a class="session-link" href=${this.#address(url)}>${title}</a>`}</h3>
          <span class="chip">${icon(node, 13)}<span>${name}</span></span>
        </div>
        ${this.#progress(progress)}
        <p class="session-facts">${this.#facts(found, progress)}</p>
        ${url === null ? this.#command(found.command ?? "") : html`<span class="session-open" aria-hidden="true">Open ${icon(ArrowRight, 15)}</span>`}
      </div>
    </article>`;
  }

  #thumbnails({ thumbnails }: FoundSession): TemplateResult {
    return html`<div class="session-thumbnails" aria-hidden="true">
      ${thumbnails.length === 0
        ? html`<span class="session-no-images">${icon(Images, 20)}</span>`
        : thumbnails.map((address) => html`<img src=${this.#address(address)} alt="" loading="lazy" decoding="async" width="96" height="72" />`)}
    </div>`;
  }

  #progress(progress: SessionProgress): TemplateResult {
    const seen = reviewedShare(progress);
    const labelled = progress.images === 0 ? 0 : progress.labeled / progress.images;
    return html`<div class="session-progress">
      <div class="session-track" role="progressbar" aria-label="Images labelled" aria-valuemin="0" aria-valuemax=${progress.images}
        aria-valuenow=${progress.labeled}>
        <span class="session-seen" style="transform: scaleX(${seen})"></span><span class="session-labelled" style="transform: scaleX(${labelled})"></span>
      </div>
      <span><strong>${progress.labeled.toLocaleString("en")}</strong> / ${progress.images.toLocaleString("en")} labelled</span>
    </div>`;
  }

  #facts({ folder }: FoundSession, { classes, changed_at, created_at, skipped, undetermined }: SessionProgress): string {
    const when = changed_at === null ? `made ${ago(created_at, new Date())}` : `changed ${ago(changed_at, new Date())}`;
    return [
      counted(classes, "class", "classes"),
      skipped > 0 ? `${skipped.toLocaleString("en")} skipped` : "",
      undetermined > 0 ? `${undetermined.toLocaleString("en")} undetermined` : "",
      when,
      folder,
    ].filter(Boolean).join(" · ");
  }

  #command(command: string): TemplateResult {
    const is_copied = this.copied === command;
    return html`<div class="session-command"><code>${command}</code>
      <button class="button small" data-testid="copy-command" aria-label="Copy the command" @click=${() => void this.#copy(command)}>
        ${icon(is_copied ? Check : Copy, 14)}<span aria-live="polite">${is_copied ? "Copied" : "Copy"}</span></button></div>`;
  }

  async #copy(command: string): Promise<void> {
    await navigator.clipboard.writeText(command);
    this.copied = command;
    setTimeout(() => (this.copied = null), COPIED_MS);
  }

  /** Relative to the server's root where it begins so, else to this page. The hash tells the page from the start page. */
  #address(url: string): string {
    const address = new URL(url, document.baseURI);
    if (!address.pathname.includes("/api/")) address.hash = "#/label";
    return address.href;
  }
}

customElements.define("fewclick-start", StartView);
