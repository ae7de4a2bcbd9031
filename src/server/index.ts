export { type ServedProgram, type ServeOptions, serve } from "./program.ts";
export {
  type CloseOptions,
  createServer,
  Server,
  type ServerLimits,
  type ServerOptions,
} from "./server.ts";
export { type CallContext, PerSession, Session } from "./session.ts";
