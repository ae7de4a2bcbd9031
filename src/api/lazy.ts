/**
 * Stands for a generated client whose module is loaded with the first call. A bundle that calls procedures by their
 * descriptors alone does not carry the codecs of all the others.
 *
 * Every property, but those of any object, is a method that waits for the module; calls keep their order.
 */
export function lazy<Client extends object>(load: () => Promise<Client>): Client {
  let loading: Promise<Client> | undefined;
  return new Proxy({} as Client, {
    get(target, key) {
      // What the language itself asks any object for: a promise that resolves with it, JSON, a template string.
      if (typeof key === "symbol" || key === "then" || key === "toJSON" || key in target) {
        return Reflect.get(target, key);
      }
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
