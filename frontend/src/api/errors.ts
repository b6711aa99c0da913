/** The server answered, and the answer is an error: {error, detail} and, for a conflict, the state found. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly error: string,
    detail: string,
    readonly current: unknown = null,
  ) {
    super(detail);
  }

  /** Worth trying again as it is: the server or something before it is in trouble, not the request. */
  get isTransient(): boolean {
    return this.status >= 500 || this.status === 408 || this.status === 429;
  }
}

/** No answer came, or half of one: the server is down, or the network is. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/** Whether sending the same again is pointless: the server has understood the request, and refuses it. */
export function isFinal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && !error.isTransient;
}

/** One line for a person. Rethrows what is neither of the two: that would be a fault of the page. */
export function explain(error: unknown): string {
  if (error instanceof ApiError || error instanceof UnreachableError) return error.message;
  throw error;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}
