import { html, nothing, type TemplateResult } from "lit";

import { counted } from "../../../state/words";
import { at, bytes, flatten, shown, type CheckpointDetails } from "../../../state/checkpoints";

/** Where a checkpoint comes from, as tables. */
export function detailsTables(details: CheckpointDetails): TemplateResult {
  const said = details.description;
  const commit = at(said, "code", "commit");
  const libraries = at(said, "code", "libraries");
  const facts: (readonly [string, string])[] = [
    ["Saved", new Date(details.created_at).toLocaleString()],
    ["Parent", details.parent_id === null ? "–" : `checkpoint ${details.parent_id}`],
    ["File", details.size_bytes === null ? "gone" : bytes(details.size_bytes)],
    ["Features", `${shown(at(said, "extractor", "name"))}, weights ${shown(at(said, "extractor", "weights_hash"))}, ${shown(at(said, "extractor", "resize"))} px`],
    ["Code", `fewclick ${shown(at(said, "code", "fewclick"))}${typeof commit === "string" ? `, commit ${commit.slice(0, 12)}${commit.endsWith("+") ? "+" : ""}` : ""}`],
    ["Libraries", flatten(libraries ?? {}).map(([name, version]) => `${name} ${version}`).join(", ") || "–"],
    ["Seed", shown(at(said, "seed"))],
    ["Data", shown(at(said, "dataset_hash")).slice(0, 16)],
  ];
  return html`<div class="shelf-details" data-testid="checkpoint-details">
    ${details.problem === null ? nothing : html`<p class="banner is-warn" role="alert">It cannot predict: ${details.problem}</p>`}
    <h3>Origin</h3>
    <table class="shelf-table is-facts"><tbody>
      ${facts.map(([name, text]) => html`<tr><th scope="row">${name}</th><td>${text}</td></tr>`)}
    </tbody></table>
    <h3>Labels it has learned from</h3>
    ${dataTable(details)}
    <h3>Configuration</h3>
    <table class="shelf-table is-facts"><tbody>
      ${flatten(said.config ?? {}).map(([key, text]) => html`<tr><th scope="row"><code>${key || "–"}</code></th><td>${text}</td></tr>`)}
    </tbody></table>
  </div>`;
}

function dataTable({ data, data_problem }: CheckpointDetails): TemplateResult {
  if (data === null) return html`<p class="hint">${data_problem}</p>`;
  return html`<p class="hint">${counted(data.n_labels, "label")} on ${counted(data.n_images, "image")}: ${data.n_training_images} to train,
      ${data.n_validation_images} held out.</p>
    <table class="shelf-table"><thead><tr><th scope="col">Class</th><th scope="col" class="is-number">Labels</th>
      <th scope="col" class="is-number" title="Of these, on validation images: the head of a run has not learned from them">Held out</th><th scope="col">By origin</th></tr></thead>
    <tbody>${data.by_class.map(
      (row) => html`<tr><th scope="row"><span class="swatch" style="--class-color: ${row.color}"></span> ${row.name}</th>
        <td class="is-number">${row.total}</td><td class="is-number">${row.held_out}</td>
        <td>${Object.entries(row.by_origin).map(([origin, count]) => `${count} ${origin}`).join(", ")}</td></tr>`,
    )}</tbody></table>`;
}
