/** Requests and their answers: what fails is an `ApiError`, what does not come is an `UnreachableError`. */
import { ApiError, UnreachableError } from "./errors";

const CUT_OFF = "The server's answer did not come through whole.";

export async function send(fetcher: typeof fetch, request: Request | string, init?: RequestInit): Promise<Response> {
  try {
    return await fetcher(request, init);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new UnreachableError("The server does not answer. Start it again the way you started it.");
  }
}

export async function getBlob(fetcher: typeof fetch, url: string, init: RequestInit): Promise<Blob> {
  const response = await send(fetcher, url, init);
  if (response.ok) return whole(response.blob());
  const text = await whole(response.text());
  throw toError(response, parseJson(text) ?? text);
}

export async function unwrap<T>(request: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await whole(request);
  if (!response.ok) throw toError(response, error);
  if (data === undefined && response.status !== 204) throw new UnreachableError(CUT_OFF);
  return data as T;
}

/** A body that is cut off, or that something between here and the server made up, is no answer. */
async function whole<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof UnreachableError || isAbort(error)) throw error;
    throw new UnreachableError(CUT_OFF, { cause: error });
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function toError(response: Response, body: unknown): ApiError {
  const { error, detail, current } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  return new ApiError(
    response.status,
    typeof error === "string" ? error : "HttpError",
    typeof detail === "string" ? detail : `The server answered ${response.status} ${response.statusText}`.trim(),
    current ?? null,
    typeof error === "string" && typeof detail === "string",
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
