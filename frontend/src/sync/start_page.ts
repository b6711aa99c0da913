import type { Api } from "../api/client";
import { explain } from "../api/errors";
import { Signal } from "../state/signal";
import type { StartPage } from "../state/start";

const REFRESH_MS = 10_000;

/** What the start page shows, kept fresh while it is in sight. */
export class StartPageSource {
  readonly page = new Signal<StartPage | null>(null);
  readonly problem = new Signal<string | null>(null);

  constructor(private readonly api: Pick<Api, "startPage">) {}

  async refresh(): Promise<void> {
    try {
      this.page.set(await this.api.startPage());
      this.problem.set(null);
    } catch (error) {
      this.problem.set(explain(error));
    }
  }

  /** Until the page is left. */
  run(isInSight: () => boolean): void {
    void this.refresh();
    setInterval(() => {
      if (isInSight()) void this.refresh();
    }, REFRESH_MS);
  }
}
