import { GraduationCap, History, Info, Square } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import type { Readable } from "../../../state/signal";
import type { HeadKind, Training } from "../../../state/types";
import { isActive } from "../../../sync/polling";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { lossLegend } from "./LossChart";
import "./FinetunePanel";
import { extractorName, HEAD_NAMES, isEmbedded, outcomeLine, stateWord, trainingLine } from "./text";

/** Until the server has said more. */
const IDLE: Training = {
  state: "IDLE", kind: "head", run_id: null, epoch: 0, best_epoch: null, train_loss: [], val_loss: [], metrics: {}, message: "", reason: null,
  stop_requested: false,
}; // prettier-ignore

/** Full runs: Save starts one, Stop Training ends it; losses; which features are at work. */
export class TrainingPanel extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { training } = this.app;
    return [training.training, training.starting, training.head];
  }

  protected override render(): TemplateResult {
    const { training, config } = this.app;
    const { value } = training.training;
    const active = isActive(value);
    return html`
      <section class="training" aria-labelledby="training-title">
        <div class="training-head">
          <div class="card-head">
            <h2 id="training-title">Training</h2>
            <button class="button small ghost card-link" data-testid="checkpoints-open" title=${this.tip("Saved heads: inspect, compare, roll back", "checkpoints")}
              @click=${() => this.command("checkpoints")}>${icon(History, 14)}<span>Checkpoints</span></button>
            <span class="state is-${(value?.state ?? "IDLE").toLowerCase()}" data-testid="training-state" role="status"
              data-state=${value?.state ?? "IDLE"}>${stateWord(value)}</span>
          </div>
          <div class="button-row">
            <button class="button primary" data-testid="save" ?disabled=${training.starting.value}
              title=${this.tip("Everything is saved already; this starts a full training run", "save")} @click=${() => this.command("save")}>
              ${icon(GraduationCap, 16)}<span data-testid="start-training">Save &amp; train</span>
            </button>
            <button class="button danger" data-testid="stop-training" ?disabled=${!active || value?.stop_requested === true}
              title="Stop Training: the best weights so far are kept" @click=${() => void training.stop()}>
              ${icon(Square, 14)}<span>Stop</span>
            </button>
          </div>
        </div>
        <div class="card training-body">
          <label class="field-inline" title="What the next run trains; what learns from every click is another head">
            <span>Head</span>
            <select class="select" data-testid="head" @change=${this.#chooseHead}>
              ${config.heads.map((head) => html`<option value=${head} .selected=${head === training.head.value}>${HEAD_NAMES[head]}</option>`)}
            </select>
          </label>
          <fewclick-loss-chart data-testid="loss-chart" .training=${value}></fewclick-loss-chart>
          <p class="chart-legend" data-testid="loss-legend">${value ? lossLegend(value) : nothing}</p>
          <div class="training-words">
            <p class="hint ${value?.state === "FAILED" ? "is-bad" : ""}">${trainingLine(value ?? IDLE)}</p>
            ${value && outcomeLine(value) !== "" ? html`<p class="training-outcome" data-testid="training-outcome">${outcomeLine(value)}</p>` : nothing}
          </div>
        </div>
      </section>
      <p class="extractor" data-testid="extractor">
        ${icon(Info, 14)}
        <span>Features: <strong>${extractorName(config.extractor)}</strong>${
          config.task === "segmentation" ? `, cells of ${config.extractor.patch_size} px at ${config.extractor.resize} px` : nothing}.
          ${isEmbedded(config.extractor) ? html`DINOv3 would give sharper features; docs/extractors.md tells how to get it.` : nothing}</span>
      </p>
      <fewclick-finetune-panel .app=${this.app}></fewclick-finetune-panel>
    `;
  }

  #chooseHead(event: Event): void {
    void this.app.training.setHead((event.target as HTMLSelectElement).value as HeadKind);
  }
}

customElements.define("fewclick-training-panel", TrainingPanel);
