import { X } from "lucide";
import { html, type TemplateResult } from "lit";

import { BINDINGS, keyCaps, type Binding } from "../../../state/keymap";
import type { Readable } from "../../../state/signal";
import type { Task } from "../../../state/types";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { closeOnBackdrop, showDialog } from "./dialog";

const GROUPS: readonly Binding["group"][] = ["Labelling", "Moving between images", "View", "Session"];

const DIGITS: Readonly<Record<Task, string>> = {
  segmentation: "Class of the next point",
  classification: "Class of the image",
  multilabel: "A class of the image, on or off",
};

/** Every key, from the table that makes them work. */
export class KeyHelp extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    return [this.app.ui.help_open];
  }

  protected override render(): TemplateResult {
    const { help_open } = this.app.ui;
    return html`<dialog class="dialog wide" aria-labelledby="help-title" @close=${() => help_open.set(false)}
      @click=${closeOnBackdrop}>
      <div class="dialog-head">
        <h2 id="help-title">Keys and mouse</h2>
        <button class="button ghost icon-only" aria-label="Close" @click=${() => help_open.set(false)}>${icon(X)}</button>
      </div>
      <div class="key-groups">
        ${GROUPS.map((group) => this.#group(group))}
        <section><h3>Mouse</h3><dl>${this.#mouse()}</dl></section>
      </div>
    </dialog>`;
  }

  protected override updated(): void {
    showDialog(this, this.app.ui.help_open.value);
  }

  #group(group: Binding["group"]): TemplateResult {
    const { task } = this.app.config;
    const bindings = BINDINGS.filter((binding) => binding.group === group && (binding.task ?? task) === task);
    const digits = row([["1"], ["9"]], DIGITS[task], "…");
    return html`<section><h3>${group}</h3><dl>
      ${group === "Labelling" ? digits : ""} ${bindings.map(({ keys, text }) => row(keys.map(keyCaps), text))}
    </dl></section>`;
  }

  #mouse(): TemplateResult[] {
    const points = [
      row([["Left click"]], "Point of the chosen class"),
      row([["Right click"]], this.app.classes.value.length === 2 ? "Remove the nearest point within reach, else add one of the other class" : "Remove the nearest point within reach"),
    ];
    return [
      ...(this.app.config.task === "segmentation" ? points : []),
      row([["Wheel"]], "Zoom at the pointer"),
      row([["Space", "drag"], ["Middle drag"]], "Move the image"),
    ];
  }
}

function row(keys: readonly (readonly string[])[], text: string, between = "or"): TemplateResult {
  return html`<div><dt>
    ${keys.map((caps, i) => html`${i > 0 ? html`<span class="or">${between}</span>` : ""}${caps.map((cap) => html`<kbd>${cap}</kbd>`)}`)}
  </dt><dd>${text}</dd></div>`;
}

customElements.define("fewclick-key-help", KeyHelp);
