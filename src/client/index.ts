export { ConfFile } from "./conf-file.ts";
export * from "./core.ts";
export { parseUri } from "./uri.ts";

// For src/api.

export { open, openTransport } from "./connect.ts";
export type { OpenedConnection } from "./connection.ts";
export { parseVersion } from "./explain.ts";
