import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/labeling.css";
import "./styles/multilabel.css";
import "./styles/quality.css";
import "./styles/checkpoints.css";
import "./styles/finetuning.css";
import "./styles/view_panel.css";

import { html, render } from "lit";

import { createApi } from "./api/client";
import { explain } from "./api/errors";
import { createApp } from "./app";
import { imageIdInHash, LabelingView } from "./pages/labeling/LabelingView";

const RETRY_AFTER_MS = 2_000;

async function start(root: HTMLElement): Promise<void> {
  const api = createApi(document.baseURI);
  try {
    const [config, sessions] = await Promise.all([api.config(), api.sessions()]);
    document.title = `${config.session.name} · Fewclick`;
    const app = createApp(document.baseURI, config, sessions, localStorage);
    const view = new LabelingView();
    view.app = app;
    root.replaceChildren(view);
    app.ui.gallery_open.set(location.hash === "#/gallery");
    addEventListener("online", () => app.saves.retryNow());
    addEventListener("pagehide", () => app.saves.store());
    void app.start(imageIdInHash(location.hash));
  } catch (error) {
    root.replaceChildren();
    render(failure(explain(error)), root);
    setTimeout(() => void start(root), RETRY_AFTER_MS);
  }
}

function failure(reason: string) {
  return html`<div class="boot empty" role="alert">
    <h1>Fewclick cannot start</h1>
    <p>${reason}</p>
    <p>Trying again every few seconds…</p>
  </div>`;
}

const root = document.getElementById("app");
if (root) void start(root);
