import { Sparkles, Undo2 } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import type { FinetuningOffer } from "../../../state/finetuning";
import { counted, sampleNoun } from "../../../state/words";
import type { Readable } from "../../../state/signal";
import { isActive } from "../../../sync/polling";
import { withCode } from "../code_text";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { percent } from "./text";

/** Where the frozen features are not enough: fine-tune them, and adopt what is better. */
export class FinetunePanel extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { finetuning, training, stats } = this.app;
    return [finetuning.state, finetuning.busy, training.training, training.starting, stats.stats];
  }

  protected override render(): TemplateResult | typeof nothing {
    const { finetuning, training } = this.app;
    const state = finetuning.state.value;
    if (state === null || (!state.adopted && this.app.stats.stats.value?.by_status.labeled === 0)) return nothing; // for experts, who have labels
    const waits = training.starting.value || isActive(training.training.value);
    return html`<div class="finetune" data-testid="finetune">
      <div class="button-row">
        <button class="button small" data-testid="start-finetune" ?disabled=${!state.available || waits} aria-describedby="finetune-note"
          title="Adapt the network that makes the features to these labels; takes minutes on a GPU, hours without"
          @click=${() => void training.start("finetune")}>${icon(Sparkles, 14)}<span>Fine-tune the backbone</span></button>
        ${state.adopted
          ? html`<button class="button small ghost" data-testid="finetune-back" ?disabled=${waits || finetuning.busy.value}
              title="Go back to the features of the frozen network" @click=${() => this.#adopt(null)}>${icon(Undo2, 14)}<span>Go back</span></button>`
          : nothing}
      </div>
      <p class="hint" id="finetune-note">${withCode(this.#note(state.reason, state.adopted))}</p>
      ${state.offer === null ? nothing : this.#offer(state.offer, waits)}
    </div>`;
  }

  #note(reason: string | null, adopted: boolean): string {
    if (reason !== null) return `Not possible here: ${reason}.`;
    if (adopted) return "The features at work are fine-tuned ones.";
    return "For when more labels no longer help. Compared with the frozen features on held-out labels; nothing changes by itself.";
  }

  #offer(offer: FinetuningOffer, waits: boolean): TemplateResult {
    return html`<div class="finetune-offer" data-testid="finetune-offer">
      <p class="hint">Fine-tuned features are better: accuracy <strong>${percent(offer.held_out_accuracy)}</strong> against
        ${percent(offer.frozen_accuracy)}, loss ${offer.held_out_loss.toFixed(3)} against ${offer.frozen_loss.toFixed(3)}, on
        ${counted(offer.n_samples, `held-out ${sampleNoun(this.app.config.task)}`)} of ${counted(offer.n_images, "image")}.</p>
      <button class="button small primary" data-testid="adopt" ?disabled=${waits || this.app.finetuning.busy.value}
        title="Annotations stay; the features of all images are made anew in the background, this one first"
        @click=${() => this.#adopt(offer.checkpoint_id)}>Adopt</button>
    </div>`;
  }

  #adopt(checkpoint_id: number | null): void {
    void this.app.finetuning.adopt(checkpoint_id, this.app.annotations.image_id.value);
  }
}

customElements.define("fewclick-finetune-panel", FinetunePanel);
