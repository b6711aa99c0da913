/** The server answered, and the answer is an error: {error, detail} and, for a conflict, the state found. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly error: string,
    detail: string,
    readonly current: unknown = null,
    /** Made by Fewclick, not by something between here and it: a proxy, a login page. */
    readonly is_own = true,
  ) {
    super(detail);
  }

  /** Worth trying again as it is: the server or something before it is in trouble, not the request. */
  get isTransient(): boolean {
    if (this.status >= 500 || this.status === 408 || this.status === 429) return true;
    // What is too large for a proxy stays so; anything else of a proxy says nothing about the request.
    return !this.is_own && this.status !== 413;
  }
}

/** No answer came, or half of one: the server is down, or the network is. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/** Whether sending the same again is pointless: the server has understood the request, and refuses it. */
export function isFinal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status >= 400 && !error.isTransient;
}

/** One line for a person. Rethrows what is neither of the two: that would be a fault of the page. */
export function explain(error: unknown): string {
  if (error instanceof ApiError || error instanceof UnreachableError) return error.message;
  throw error;
}
