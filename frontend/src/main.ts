import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/header.css";
import "./styles/stage.css";
import "./styles/strip.css";
import "./styles/sidebar.css";
import "./styles/class_panel.css";
import "./styles/training.css";
import "./styles/labeling.css";
import "./styles/multilabel.css";
import "./styles/gallery.css";
import "./styles/quality.css";
import "./styles/checkpoints.css";
import "./styles/finetuning.css";
import "./styles/view_panel.css";
import "./styles/tools.css";
import "./styles/notices.css";
import "./styles/flow.css";
import "./styles/adaptive.css";
import "./styles/phone.css";

import { html, render } from "lit";

import { createApi, type Api } from "./api/client";
import { explain } from "./api/errors";
import { createApp, type App } from "./app";
import { LabelingView } from "./pages/labeling/LabelingView";
import { withCode } from "./pages/labeling/code_text";
import { imageIdInHash, isGallery } from "./state/address";
import { PreferenceStore } from "./state/preferences";
import { isStart, START_HASH } from "./state/start";
import { StartPageSource } from "./sync/start_page";

const RETRY_AFTER_MS = 2_000;

async function start(root: HTMLElement): Promise<void> {
  const api = createApi(document.baseURI);
  try {
    const [config, sessions] = await Promise.all([api.config(), api.sessions()]);
    if (isStart(location.hash)) {
      await showStart(root, api);
      return;
    }
    document.title = `${config.session.name} · Fewclick`;
    const app = createApp(document.baseURI, config, sessions, localStorage);
    const view = new LabelingView();
    view.app = app;
    root.replaceChildren(view);
    app.followHash(location.hash);
    app.ui.gallery_open.set(isGallery(location.hash));
    tellOfFaults(app);
    addEventListener("online", () => {
      app.saves.retryNow();
      app.commenting.saves.retryNow();
    });
    addEventListener("beforeunload", (event) => {
      // What no storage has taken would be lost.
      if (!app.saves.is_kept.value) event.preventDefault();
    });
    addEventListener("pagehide", () => app.saves.store());
    // A page that is out of sight may be ended without another word.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") app.saves.store();
    });
    void app.start(imageIdInHash(location.hash));
  } catch (error) {
    // Anew each time: what was rendered into the root before is not there any more.
    const box = document.createDocumentFragment();
    render(failure(explain(error)), box);
    root.replaceChildren(box);
    setTimeout(() => void start(root), RETRY_AFTER_MS);
  }
}

/** A fault of the page itself: said, and kept for a report. */
function tellOfFaults(app: App): void {
  const tell = (what: string): number => app.toasts.show("error", "Something went wrong on this page. What you labelled is kept.", { detail: what });
  addEventListener("error", ({ message, filename, lineno, colno, error }) => {
    // What the browser says of an observer that needs another frame is no fault.
    if (message.startsWith("ResizeObserver loop")) return;
    tell(error instanceof Error ? (error.stack ?? error.message) : `${message} (${filename}:${lineno}:${colno})`);
  });
  addEventListener("unhandledrejection", ({ reason }) => tell(reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)));
}

/** The sessions to choose from; its code comes only where it is asked for. */
async function showStart(root: HTMLElement, api: Api): Promise<void> {
  const { StartView } = await import("./pages/start/StartView");
  document.title = "Sessions · Fewclick";
  document.documentElement.dataset.theme = new PreferenceStore(localStorage).value.theme;
  const source = new StartPageSource(api);
  const view = new StartView();
  view.page = source.page;
  view.problem = source.problem;
  root.replaceChildren(view);
  source.run(() => document.visibilityState === "visible");
}

function failure(reason: string) {
  return html`<div class="boot empty" role="alert">
    <h1>Fewclick cannot start</h1>
    <p>${withCode(reason)}</p>
    <p>Trying again every few seconds…</p>
  </div>`;
}

// The start page and the labelling page have nothing in common: the way between them is a new beginning.
addEventListener("hashchange", ({ oldURL, newURL }) => {
  const [was, is] = [oldURL, newURL].map((address) => new URL(address).hash === START_HASH);
  if (was !== is) location.reload();
});

const root = document.getElementById("app");
if (root) void start(root);
