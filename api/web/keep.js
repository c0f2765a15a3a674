// What must outlive a reload, in the browser's own database; files in a store of their own, as they may be large.
const STORES = ["notes", "files"];
let opened = null;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("nurie", 1);
    request.onupgradeneeded = () => STORES.forEach((name) => request.result.createObjectStore(name));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function run(store, mode, act) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode);
    const request = act(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

export const keep = (store, key, value) => run(store, "readwrite", (place) => place.put(value, key));
export const recall = (store, key) => run(store, "readonly", (place) => place.get(key));
export const forget = (store, key) => run(store, "readwrite", (place) => place.delete(key));
