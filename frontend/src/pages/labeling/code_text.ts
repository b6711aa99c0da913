import { html, type TemplateResult } from "lit";

/** A message of the server or of the page, with what stands between backticks as code. */
export function withCode(text: string): readonly (string | TemplateResult)[] {
  return text.split("`").map((part, place) => (place % 2 === 1 ? html`<code>${part}</code>` : part));
}
