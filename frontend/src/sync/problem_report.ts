import { reportText, type Diagnostics, type ReportFacts } from "../state/report";
import type { Readable } from "../state/signal";
import type { Config, Health, ImageInfo, SaveStatus, Stats, Training } from "../state/types";

export interface ReportSources {
  readonly config: Config;
  readonly diagnostics: Diagnostics;
  readonly stats: { readonly stats: Readable<Stats | null> };
  readonly health: { readonly health: Readable<Health | "unreachable" | null> };
  readonly training: { readonly training: Readable<Training | null> };
  readonly saves: { readonly status: Readable<SaveStatus> };
  readonly navigator: { readonly image: ImageInfo | null };
}

/** What "Copy details" copies. `browser` and `screen`: as the page sees them. */
export function problemReport(app: ReportSources, browser: string, screen: string, now: Date): string {
  const health = app.health.health.value;
  const training = app.training.training.value;
  const facts: ReportFacts = {
    version: health === null || health === "unreachable" ? null : health.version,
    browser,
    screen,
    task: app.config.task,
    extractor: `${app.config.extractor.name} at ${app.config.extractor.resize} px`,
    image_id: app.navigator.image?.id ?? null,
    server: serverLine(health),
    training: training === null ? "unknown" : `${training.state}, epoch ${training.epoch}${training.message === "" ? "" : `, ${training.message}`}`,
    saves: app.saves.status.value,
    counts: countsOf(app.stats.stats.value, app.config),
  };
  return reportText(facts, app.diagnostics, now);
}

function serverLine(health: Health | "unreachable" | null): string {
  if (health === null) return "not asked yet";
  if (health === "unreachable") return "does not answer";
  const { alive, starting } = health.ml_service;
  const { state, done, total, failed } = health.extraction;
  return `answers; ML service ${starting ? "starting" : alive ? "alive" : "not running"}; features ${state}, ${done} of ${total}, ${failed} failed`;
}

function countsOf(stats: Stats | null, config: Config): Record<string, number> {
  if (stats === null) return { classes: config.classes.length };
  return { classes: config.classes.length, images: stats.images, ...stats.by_status };
}
