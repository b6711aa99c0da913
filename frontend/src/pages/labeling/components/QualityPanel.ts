import { ChartLine } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import { intervalText, isTelling, leading, outlookLine, outlookText, SELECTED_ON_THESE, shareText, unsureText } from "../../../state/quality";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { headName, heldOutBasis, percent } from "./text";

/** The one figure to go by, how sure it is, and whether more labels would help; everything else a click away. */
export class QualityPanel extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    return [this.app.stats.stats];
  }

  protected override render(): TemplateResult {
    const stats = this.app.stats.stats.value;
    return html`<section class="card quality" aria-labelledby="quality-title">
      <div class="card-head">
        <h2 id="quality-title">Quality</h2>
        <button class="button small ghost" data-testid="quality-open" title=${this.tip("Class by class, confusion, calibration, learning curve", "quality")}
          @click=${() => this.command("quality")}>${icon(ChartLine, 14)}<span>Figures</span></button>
      </div>
      <div class="quality-words">${stats === null ? nothing : this.#figure()}</div>
    </section>`;
  }

  #figure(): TemplateResult {
    const { quality, head, held_out } = this.app.stats.stats.value ?? {};
    const name = head ? html`<strong data-testid="head-in-force" title="It makes the predictions">${headName(head)}</strong>` : nothing;
    const found = quality ? leading(quality) : null;
    if (found === null) {
      if (held_out) {
        return html`<p class="figure-row"><span class="figure" data-testid="held-out">${percent(held_out.value)}</span>
          <span>${heldOutBasis(held_out, this.app.config.task)}${head ? html`, by the ${name}` : nothing}</span></p>`;
      }
      return html`<p class="hint" data-testid="quality-unknown">Not known yet: ${quality?.unknown ?? "nothing is labelled yet"}.
        ${head ? html`Predictions by the ${name}.` : nothing}</p>`;
    }
    if (!isTelling(found.accuracy)) {
      return html`<p class="hint" data-testid="quality-unsure">Not known yet. ${unsureText(found, this.app.config.task !== "segmentation")}
        ${head ? html`Predictions by the ${name}.` : nothing}</p>`;
    }
    const is_estimate = found.method === "cross_validation";
    return html`
      <p class="figure-row"><span class="figure" data-testid=${is_estimate ? "estimate" : "held-out"}>${percent(found.accuracy.value)}</span>
        ${is_estimate ? html`<span class="chip is-estimate" title="By cross-validation, as too few images are held out yet: each is predicted by a head that had not seen it">estimate</span>` : nothing}
        <span>${shareText(found, this.app.config.task !== "segmentation")}</span></p>
      <p class="hint">${head ? html`${name}, ` : nothing}<span title="95 % interval: where the share would lie if very many images were tried">probably ${intervalText(found.accuracy)}</span>${quality?.is_current === false ? ", before the last changes" : ""}.
        ${found.figures.selected_on_these ? html`<span data-testid="selected-on-these" title=${SELECTED_ON_THESE}>It leans high.</span>` : nothing}
        ${quality?.curve ? html`<span title=${outlookText(quality.curve.outlook)}>${outlookLine(quality.curve.outlook)}</span>` : nothing}</p>`;
  }
}

customElements.define("fewclick-quality-panel", QualityPanel);
