/** The front door of whoever logs clients in. What it has, clients that are bundled do not carry. */
export { matchesGlob } from "./glob.ts";
export { checkSaslOptions, loginFailed, SaslLogin, type SaslMechanism, type SaslServerOptions } from "./sasl-server.ts";
export { type ScramHash, scramKeys } from "./scram.ts";
export { type SecurityLayer, SecurityLayerTransport } from "./security-layer.ts";
export type { ScramRecord, UserStore } from "./users.ts";
