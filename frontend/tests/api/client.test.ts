import { describe, expect, test } from "vitest";

import { createApi } from "../../src/api/client";
import { ApiError, isFinal, UnreachableError } from "../../src/api/errors";

const PAGE = "http://127.0.0.1:8000/s/tissue/?a=1#/image/12";

function answering(response: () => Response | Promise<Response>, seen: Request[] = []): typeof fetch {
  return (input, init) => {
    seen.push(new Request(input, init));
    return Promise.resolve(response());
  };
}

function json(body: unknown, status = 200): () => Response {
  return () => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
}

describe("createApi", () => {
  test("addresses lie beside the page: under its mount prefix, without hash and query", async () => {
    const seen: Request[] = [];
    const api = createApi(PAGE, answering(json({}), seen));
    await api.config();
    expect(seen[0]?.url).toBe("http://127.0.0.1:8000/s/tissue/api/config");
    expect(api.thumbnailUrl(3, 96)).toBe("http://127.0.0.1:8000/s/tissue/api/images/3/thumbnail?size=96");
    expect(api.eventsUrl()).toBe("http://127.0.0.1:8000/s/tissue/api/events?predictions=true");
  });

  test("putAnnotation: sends neither origin nor null ids", async () => {
    const seen: Request[] = [];
    const api = createApi(PAGE, answering(json({}), seen));
    const points = [
      { id: null, x: 1.5, y: 2, class_id: 3, origin: "human" as const },
      { id: 8, x: 4, y: 5, class_id: 3, origin: "extracted" as const },
    ];
    await api.putAnnotation(2, { kind: "points", points }, 6);
    expect(seen[0]?.method).toBe("PUT");
    expect(await seen[0]?.json()).toEqual({
      revision: 6,
      points: [{ x: 1.5, y: 2, class_id: 3 }, { id: 8, x: 4, y: 5, class_id: 3 }],
    });
  });

  test("putAnnotation: taking a label away is a DELETE", async () => {
    const seen: Request[] = [];
    await createApi(PAGE, answering(json({}), seen)).putAnnotation(2, { kind: "label", class_id: null }, 6);
    expect(seen[0]?.method).toBe("DELETE");
  });

  test("putAnnotation: none of the classes is an answer, no answer is a DELETE", async () => {
    const seen: Request[] = [];
    const api = createApi(PAGE, answering(json({}), seen));
    await api.putAnnotation(2, { kind: "classes", class_ids: [] }, 6);
    await api.putAnnotation(2, { kind: "classes", class_ids: null }, 7);
    expect(seen.map(({ method }) => method)).toEqual(["PUT", "DELETE"]);
    expect(await seen[0]?.json()).toEqual({ revision: 6, class_ids: [] });
  });

  test("checkpoints: as many pages as are wanted, and who predicts", async () => {
    const seen: Request[] = [];
    const pages = [
      [{ checkpoint: { id: 4 } }, {}],
      [[{ id: 9 }, { id: 8 }], { "X-Total-Count": "3", "X-Next-Cursor": "8" }],
      [[{ id: 2 }], { "X-Total-Count": "3" }],
    ] as const;
    const fetcher = answering(() => {
      const [body, headers] = pages[seen.length - 1] ?? [null, {}];
      return new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json", ...headers } });
    }, seen);
    const { rows, total, in_force } = await createApi(PAGE, fetcher).checkpoints(600);
    expect(rows.map(({ id }) => id)).toEqual([9, 8, 2]);
    expect([total, in_force?.id]).toEqual([3, 4]);
    expect(seen.map(({ url }) => new URL(url).search)).toEqual(["", "?limit=500", "?limit=500&cursor=8"]);
  });

  test("nextImage: 204 is null", async () => {
    const api = createApi(PAGE, answering(() => new Response(null, { status: 204 })));
    expect(await api.nextImage("random", 4)).toBeNull();
  });

  test("an error carries class, detail and the state found", async () => {
    const body = { error: "ConflictError", detail: "revision 3 is stale", current: { revision: 4 } };
    const failing = createApi(PAGE, answering(json(body, 409))).undo(1, 3);
    await expect(failing).rejects.toMatchObject({ status: 409, error: "ConflictError", message: "revision 3 is stale", current: { revision: 4 } });
    await expect(failing).rejects.toBeInstanceOf(ApiError);
  });

  test.each([
    [json({ error: "InvalidInputError", detail: "there is no class 9" }, 400), true],
    [json({ detail: "Not authenticated" }, 401), false],
    [() => new Response("<h1>404</h1>", { status: 404 }), false],
    [() => new Response("<h1>too large</h1>", { status: 413 }), true],
  ])("a refusal is final if it is Fewclick's own, or its size is in the way: %#", async (response, is_final) => {
    const error: unknown = await createApi(PAGE, answering(response)).putAnnotation(1, { kind: "points", points: [] }, 0).catch((found: unknown) => found);
    expect(error).toBeInstanceOf(ApiError);
    expect(isFinal(error)).toBe(is_final);
  });

  test("an error without our body still says something", async () => {
    const api = createApi(PAGE, answering(() => new Response("<html>", { status: 502, statusText: "Bad Gateway" })));
    await expect(api.predictionMap(1, 1, "grid", 1)).rejects.toThrow("The server answered 502 Bad Gateway");
  });

  test.each([
    ["cut off", '{"revision": 1', "application/json"],
    ["not JSON", "<html>sign in</html>", "text/html"],
    ["empty", "", "application/json"],
  ])("a body that is %s is no answer", async (_name, body, type) => {
    const headers = { "Content-Type": type, ...(body === "" ? { "Content-Length": "0" } : {}) };
    const api = createApi(PAGE, answering(() => new Response(body, { headers })));
    await expect(api.annotation(1)).rejects.toBeInstanceOf(UnreachableError);
  });

  test("a connection lost within the body is no answer", async () => {
    const body = (): ReadableStream => new ReadableStream({ start: (controller) => controller.error(new TypeError("network error")) });
    const api = createApi(PAGE, answering(() => new Response(body(), { status: 422 })));
    await expect(api.annotation(1)).rejects.toBeInstanceOf(UnreachableError);
    await expect(api.imageFile(1, null, "low")).rejects.toBeInstanceOf(UnreachableError);
  });

  test("undo, redo, skip and the removal of a label name the revision that they start from", async () => {
    const seen: Request[] = [];
    const api = createApi(PAGE, answering(json({}), seen));
    await api.undo(1, 3);
    await api.redo(1, 4);
    await api.putAnnotation(1, { kind: "aside", as: "skipped" }, 5);
    await api.putAnnotation(1, { kind: "label", class_id: null }, 6);
    expect(await Promise.all(seen.slice(0, 3).map((request) => request.json()))).toEqual([{ revision: 3 }, { revision: 4 }, { revision: 5 }]);
    expect(new URL(seen[3]?.url ?? "").search).toBe("?revision=6");
  });

  test("no answer at all is UnreachableError", async () => {
    const api = createApi(PAGE, answering(() => Promise.reject(new TypeError("Failed to fetch"))));
    await expect(api.health()).rejects.toBeInstanceOf(UnreachableError);
  });
});
