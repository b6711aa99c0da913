import type { App } from "../../app";
import { problemReport } from "../../sync/problem_report";
import { copyText } from "./clipboard";

/** Copies what a report of a problem needs, and says so. */
export async function copyDetails(app: App): Promise<void> {
  const screen = `${innerWidth} x ${innerHeight} CSS px, ${devicePixelRatio} device px each`;
  const text = problemReport(app, navigator.userAgent, screen, new Date());
  if (await copyText(text)) app.toasts.show("success", "Details copied: version, browser, counts, last errors and requests; no labels, no folders.");
  else app.toasts.show("warning", "The browser does not let the page copy. The details are here:", { detail: text, keep: true });
}
