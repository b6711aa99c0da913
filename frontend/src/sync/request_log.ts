import type { Diagnostics } from "../state/report";

/** `fetcher`, with a note of each request and how it ended. */
export function noted(diagnostics: Diagnostics, fetcher: typeof fetch = (...args) => fetch(...args)): typeof fetch {
  return async (input, init) => {
    const started = performance.now();
    const [method, url] = input instanceof Request ? [input.method, input.url] : [init?.method ?? "GET", String(input)];
    try {
      const response = await fetcher(input, init);
      diagnostics.request(method, url, response.status, performance.now() - started);
      return response;
    } catch (error) {
      // What the page itself broke off is no news.
      if (!(error instanceof DOMException && error.name === "AbortError")) diagnostics.request(method, url, null, performance.now() - started);
      throw error;
    }
  };
}
