/** What the sign in the header says of all that saves itself. */
import type { SaveStatus } from "./types";

export interface SaveReport {
  readonly status: SaveStatus;
  /** Why it is not saved; null while nothing is wrong. */
  readonly trouble: { readonly kind: "unreachable" | "refused"; readonly reason: string } | null;
  /** Whether it would outlive the page. */
  readonly is_kept: boolean;
}

export interface SaveSign {
  readonly status: SaveStatus;
  readonly text: string;
  readonly title: string;
}

export function saveSign(reports: readonly SaveReport[]): SaveSign {
  const stuck = reports.find(({ status }) => status === "offline");
  if (stuck) {
    const is_kept = reports.every((report) => report.is_kept);
    const kept = is_kept ? "What you do is kept in this browser and sent by itself, in order, as soon as it can be saved."
      : "This browser stores nothing more: keep this page open until it is saved."; // prettier-ignore
    const what = stuck.trouble?.kind === "refused" ? "Server cannot save" : "Offline";
    return { status: "offline", text: is_kept ? `${what} – kept here` : `${what} – keep this page open`, title: `${stuck.trouble?.reason ?? ""} ${kept}`.trim() };
  }
  const refused = reports.find(({ status }) => status === "refused");
  if (refused) {
    const kept = refused.is_kept ? "It is kept in this browser until you send it again, change it or discard it." : "This browser stores nothing more: keep this page open.";
    return { status: "refused", text: refused.is_kept ? "Refused – kept here" : "Refused – keep this page open", title: `${refused.trouble?.reason ?? ""} ${kept}`.trim() };
  }
  if (reports.some(({ status }) => status === "saving")) return { status: "saving", text: "Saving…", title: "On its way to the server" };
  return { status: "saved", text: "Saved", title: "The server has everything that you did" };
}
