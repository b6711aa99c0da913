import { ArrowLeft, ChevronDown, ChevronRight, Pin, PinOff, Play, RotateCcw, Scale, Search, Trash2, X } from "lucide";
import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { bytes, foldedRows, heldOutOf, kindName, whyNotActivated, type Checkpoint, type PrunePlan } from "../../../state/checkpoints";
import { SELECTED_ON_THESE } from "../../../state/quality";
import { counted } from "../../../state/words";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { comparisonTables } from "./checkpoint_comparison";
import { detailsTables } from "./checkpoint_details";
import { closeOnBackdrop, showDialog, whenClosed } from "./dialog";
import { icon } from "./icon";

const KEEP = 20;

/** Saved heads: list, inspect, compare, switch, name, remove. */
export class CheckpointDialog extends AppView {
  static override properties: PropertyDeclarations = { ...AppView.properties, unfolded: { state: true } };
  /** Some head of every group that is shown head by head. */
  declare unfolded: ReadonlySet<number>;

  constructor() {
    super();
    this.unfolded = new Set();
  }

  protected watched(): readonly Readable<unknown>[] {
    const { ui, shelf } = this.app;
    return [ui.checkpoints_open, shelf.checkpoints, shelf.view, shelf.chosen, shelf.busy];
  }

  protected override render(): TemplateResult {
    const { ui, shelf } = this.app;
    const { kind } = shelf.view.value;
    return html`<dialog class="dialog wide shelf" data-testid="checkpoints" aria-labelledby="checkpoints-title"
      @close=${whenClosed(ui.checkpoints_open)} @click=${closeOnBackdrop}>
      <div class="dialog-head">
        <div class="shelf-title">
          ${kind === "list" ? nothing : html`<button class="button ghost icon-only" aria-label="Back to the list" title="Back to the list"
            data-testid="checkpoints-back" @click=${() => shelf.showList()}>${icon(ArrowLeft)}</button>`}
          <h2 id="checkpoints-title">${this.#title()}</h2>
        </div>
        <button class="button ghost icon-only" aria-label="Close" @click=${() => ui.checkpoints_open.set(false)}>${icon(X)}</button>
      </div>
      <div class="shelf-body" tabindex="-1">${ui.checkpoints_open.value ? this.#body() : nothing}</div>
    </dialog>`;
  }

  protected override updated(): void {
    const open = this.app.ui.checkpoints_open.value;
    this.app.shelf.setOpen(open);
    showDialog(this, open);
  }

  #title(): string {
    const view = this.app.shelf.view.value;
    switch (view.kind) {
      case "list":
        return "Checkpoints";
      case "details":
        return `${view.details.name ?? `Checkpoint ${view.details.id}`}: where it comes from`;
      case "comparison":
        return `Checkpoints ${view.comparison.a.id} and ${view.comparison.b.id} side by side`;
      case "prune":
        return "Remove old checkpoints";
    }
  }

  #body(): TemplateResult {
    const { shelf } = this.app;
    const view = shelf.view.value;
    switch (view.kind) {
      case "list":
        return this.#list();
      case "details":
        return detailsTables(view.details);
      case "comparison":
        return comparisonTables(view.comparison, shelf.busy.value, () => void shelf.measure());
      case "prune":
        return this.#prune(view.plan, view.keep);
    }
  }

  #list(): TemplateResult {
    const { shelf } = this.app;
    const found = shelf.checkpoints.value;
    if (found === null) return html`<p class="hint" role="status">Loading…</p>`;
    const { rows, total, in_force } = found;
    if (rows.length === 0) {
      return html`<div class="empty is-inline" data-testid="checkpoints-empty"><h2>No checkpoint yet</h2>
        <p>The live head is saved by itself about a second after you label something, with its held-out quality.</p></div>`;
    }
    const active = in_force?.active === true ? in_force : null;
    const busy = shelf.busy.value;
    const goes_back = rows.some((row) => row.can_roll_back);
    return html`
      <div class="shelf-actions">
        <p class="hint" role="status" data-testid="checkpoints-state">${active
          ? html`<strong>${active.name ?? `Checkpoint ${active.id}`}</strong> predicts until the next label changes.`
          : html`The <strong>live head</strong> predicts${in_force === null ? "" : `: ${in_force.name ?? `checkpoint ${in_force.id}`}`}.`}</p>
        ${active ? html`<button class="button small" data-testid="release-checkpoint" ?disabled=${busy}
            title="Let the live head predict at once" @click=${() => void shelf.release()}>${icon(Play, 14)}<span>Live head</span></button>` : nothing}
        <button class="button small" data-testid="roll-back" ?disabled=${busy || !goes_back}
          title=${goes_back ? "Let the head that predicted before the present one do so again" : "No other head predicted before the present one"}
          @click=${() => void shelf.rollBack()}>${icon(RotateCcw, 14)}<span>Roll back</span></button>
        <button class="button small" data-testid="compare-checkpoints" ?disabled=${busy || shelf.chosen.value.length !== 2}
          title="Choose two in the list, then compare them" @click=${() => void shelf.compare()}>${icon(Scale, 14)}<span>Compare</span></button>
        <button class="button small" data-testid="prune-checkpoints" ?disabled=${busy} title="Shows first what would go"
          @click=${() => void shelf.planPrune(KEEP)}>${icon(Trash2, 14)}<span>Prune…</span></button>
      </div>
      <table class="shelf-table is-list">
        <thead><tr><th scope="col"><span class="visually-hidden">Compare</span></th><th scope="col">Checkpoint</th><th scope="col">Held-out</th>
          <th scope="col" class="is-number">Labels</th><th scope="col">Saved</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
        <tbody>${repeat(
          foldedRows(rows, shelf.chosen.value),
          (row) => ("id" in row ? row.id : `from ${row.at(-1)?.id}`),
          (row) => ("id" in row ? this.#row(row) : this.#group(row)),
        )}</tbody>
      </table>
      ${rows.length >= total ? nothing : html`<p class="shelf-more">
        <button class="button small" data-testid="more-checkpoints" ?disabled=${busy} @click=${() => void shelf.showMore()}>Older ones</button>
        <span class="hint">${rows.length} of ${total}</span></p>`}`;
  }

  /** Live heads in one line, or that line and each of them below it. */
  #group(rows: readonly Checkpoint[]): TemplateResult {
    const is_open = rows.some(({ id }) => this.unfolded.has(id));
    const [newest, oldest] = [rows[0], rows.at(-1)];
    const toggle = (): void => {
      this.unfolded = new Set(is_open ? [...this.unfolded].filter((id) => rows.every((row) => row.id !== id)) : [...this.unfolded, ...rows.map(({ id }) => id)]);
    };
    return html`<tr class="is-fold"><td></td><th scope="row" colspan="3"><button class="button ghost small" data-testid="live-heads" aria-expanded=${is_open}
        @click=${toggle}>${icon(is_open ? ChevronDown : ChevronRight, 14)}<span>${counted(rows.length, "live head")}</span></button></th>
      <td colspan="2">${newest && oldest ? `${when(oldest.created_at)} to ${when(newest.created_at)}` : nothing}</td></tr>
      ${is_open ? repeat(rows, ({ id }) => id, (row) => this.#row(row)) : nothing}`;
  }

  #row(row: Checkpoint): TemplateResult {
    const { shelf } = this.app;
    const title = row.name ?? `Checkpoint ${row.id}`;
    const held_out = heldOutOf(row);
    const busy = shelf.busy.value;
    const why_not = whyNotActivated(row);
    return html`<tr data-testid="checkpoint-${row.id}" class=${row.in_force ? "is-in-force" : ""}>
      <td><input type="checkbox" aria-label="Compare ${title}" .checked=${shelf.chosen.value.includes(row.id)} ?disabled=${row.kind === "adapter"}
        @change=${(event: Event) => shelf.choose(row.id, (event.target as HTMLInputElement).checked)} /></td>
      <th scope="row"><div class="shelf-head">
        <input class="input shelf-name" .value=${row.name ?? ""} placeholder="Checkpoint ${row.id}" aria-label="Name of checkpoint ${row.id}"
          maxlength="80" autocomplete="off" @change=${(event: Event) => this.#rename(row, event)} />
        <span class="shelf-badges"><span class="chip">${kindName(row)}</span>
          ${row.in_force ? html`<span class="chip is-busy" data-testid="checkpoint-in-force">${row.active ? "Active" : "Predicts"}</span>` : nothing}
          ${row.pinned ? html`<span class="chip">Pinned</span>` : nothing}
          ${row.size_bytes === null ? html`<span class="chip is-bad">File gone</span>` : nothing}</span>
      </div></th>
      <td>${held_out === null ? html`<span class="hint">unknown</span>` : held_out.enough
        ? html`${Math.round(held_out.accuracy * 100)} % <span class="count" title=${held_out.selected_on_these ? SELECTED_ON_THESE : nothing}>of ${held_out.samples}${
          held_out.selected_on_these ? ", chosen on them" : ""}</span>`
        : html`<span class="hint" title="${Math.round(held_out.accuracy * 100)} %, which says next to nothing">too few: ${held_out.samples}</span>`}</td>
      <td class="is-number">${row.n_labels ?? "–"}</td>
      <td><time datetime=${row.created_at} title="${new Date(row.created_at).toLocaleString()}${row.size_bytes === null ? "" : `, ${bytes(row.size_bytes)}`}">
        ${when(row.created_at)}</time></td>
      <td class="shelf-row-actions">
        <button class="button small" data-testid="activate-${row.id}" ?disabled=${busy || why_not !== null}
          title=${why_not ?? "Let it predict until the next label changes"} aria-label="Activate ${title}${why_not === null ? "" : `: ${why_not}`}"
          @click=${() => void shelf.activate(row.id)}>Activate</button>
        <button class="button small ghost icon-only" data-testid="inspect-${row.id}" aria-label="Inspect ${title}" title="Where it comes from"
          @click=${() => void shelf.inspect(row.id)}>${icon(Search, 14)}</button>
        <button class="button small ghost icon-only" data-testid="pin-${row.id}" aria-pressed=${row.pinned ? "true" : "false"}
          aria-label="Pin ${title}" title=${row.pinned ? "Unpin" : "Pin: never prune it"} ?disabled=${busy}
          @click=${() => void shelf.change(row.id, { pinned: !row.pinned })}>${icon(row.pinned ? PinOff : Pin, 14)}</button>
      </td></tr>`;
  }

  #prune(plan: PrunePlan, keep: number): TemplateResult {
    const { shelf } = this.app;
    const nothing_goes = plan.removed.length + plan.lost_ids.length + plan.leftover_files + plan.epochs === 0;
    return html`<div class="shelf-details" data-testid="prune-plan">
      <p><label class="field-inline">Keep the newest
        <input class="input shelf-keep" type="number" min="0" max="100000" .value=${String(keep)} data-testid="prune-keep"
          @change=${(event: Event) => void shelf.planPrune(Math.max(0, Math.trunc(Number((event.target as HTMLInputElement).value)) || 0))} /></label>
        <span class="hint">besides those that never go.</span></p>
      ${nothing_goes
        ? html`<p>Nothing would go.</p>`
        : html`<h3>${plan.removed.length} would go</h3>
          <ul class="shelf-list">${plan.removed.map((row) => html`<li>Checkpoint ${row.id}: <span class="count">${kindName(row)}, ${when(row.created_at)}</span></li>`)}</ul>
          ${plan.lost_ids.length === 0 ? nothing : html`<p>Without a file: ${plan.lost_ids.join(", ")}</p>`}
          ${plan.leftover_files === 0 ? nothing : html`<p>Files that nothing refers to any more: ${plan.leftover_files}</p>`}
          ${plan.epochs === 0 ? nothing : html`<p>Losses of old runs without a checkpoint: ${counted(plan.epochs, "epoch")}</p>`}`}
      ${plan.kept.length === 0 ? nothing : html`<h3>Stay in any case</h3>
        <ul class="shelf-list">${plan.kept.map(({ id, reason }) => html`<li>Checkpoint ${id}: <span class="count">${reason}</span></li>`)}</ul>`}
      <p class="shelf-buttons">
        <button class="button danger" data-testid="prune-confirm" ?disabled=${nothing_goes || shelf.busy.value} @click=${() => void shelf.prune()}>
          ${icon(Trash2, 14)}<span>${nothing_goes ? "Remove" : `Remove, ${bytes(plan.freed_bytes)}`}</span></button>
        <button class="button" @click=${() => shelf.showList()}>Cancel</button>
      </p></div>`;
  }

  #rename(row: Checkpoint, event: Event): void {
    const { value } = event.target as HTMLInputElement;
    const name = value.trim() === "" ? null : value.trim();
    if (name !== row.name) void this.app.shelf.change(row.id, { name });
  }
}

/** Today the time of day, else the date. */
function when(iso: string): string {
  const then = new Date(iso);
  const is_today = then.toDateString() === new Date().toDateString();
  return is_today ? then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : then.toLocaleDateString();
}

customElements.define("fewclick-checkpoint-dialog", CheckpointDialog);
