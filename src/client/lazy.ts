/**
 * Stands for a generated client whose module is loaded with the first call. A bundle that calls procedures by their
 * descriptors alone does not carry the codecs of all the others.
 *
 * Every property is a method that waits for the module; calls keep their order.
 */
export function lazy<Client extends object>(load: () => Promise<Client>): Client {
  let loading: Promise<Client> | undefined;
  return new Proxy({} as Client, {
    get(target, key) {
      // A promise that resolves with this object must not take it for a promise.
      if (typeof key === "symbol" || key === "then") return Reflect.get(target, key);
      return async (...args: unknown[]) => {
        loading ??= load();
        const client = (await loading) as Record<string, unknown>;
        const method = client[key];
        if (typeof method !== "function") throw new TypeError(`no procedure ${key}`);
        return method.apply(client, args);
      };
    },
  });
}
