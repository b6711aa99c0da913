import type { SlowStorage } from "./draft_storage";

const DATABASE = "fewclick";
const STORE = "unsaved";

/** Texts by key in IndexedDB; nothing is opened before there is something to keep or to look for. */
export class OverflowStorage implements SlowStorage {
  #opening: Promise<IDBDatabase> | null = null;

  async put(key: string, text: string): Promise<void> {
    await this.#run("readwrite", (store) => {
      const request = store.put(text, key);
      // Not only when the page has time to ask for it: the browser may be killed.
      store.transaction.commit();
      return request;
    });
  }

  async remove(key: string, text?: string): Promise<void> {
    await this.#run("readwrite", (store) => {
      if (text === undefined) return store.delete(key);
      const found = store.get(key);
      // In the same transaction: another tab may write between two.
      found.onsuccess = () => {
        if (found.result === text) store.delete(key);
      };
      return found;
    });
  }

  async entries(prefix: string): Promise<readonly (readonly [string, string])[] | null> {
    try {
      const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
      // Both in the order of keys.
      const keys = await this.#run("readonly", (store) => store.getAllKeys(range));
      const texts = await this.#run("readonly", (store) => store.getAll(range));
      return keys.flatMap((key, i) => (typeof key === "string" ? [[key, String(texts[i])] as const] : []));
    } catch (error) {
      // Forbidden, as in some private windows, or locked.
      if (error instanceof DOMException) return null;
      throw error;
    }
  }

  async #run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const transaction = (await this.#open()).transaction(STORE, mode);
    const request = work(transaction.objectStore(STORE));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new DOMException("the browser stored nothing", "AbortError"));
    });
  }

  /** One that failed, or was closed since, is opened anew by the next who asks. */
  #open(): Promise<IDBDatabase> {
    if (this.#opening !== null) return this.#opening;
    const opening = open(() => {
      if (this.#opening === opening) this.#opening = null;
    });
    this.#opening = opening;
    return opening;
  }
}

function open(onGone: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => {
      const database = request.result;
      database.onclose = onGone;
      database.onversionchange = () => {
        database.close();
        onGone();
      };
      resolve(database);
    };
    request.onerror = () => {
      onGone();
      reject(request.error ?? new DOMException("the browser opened no storage", "UnknownError"));
    };
  });
}
