export { authenticate } from "./authenticate.ts";
export type {
  AuthConfLookup,
  AuthOptions,
  AuthResult,
  CredentialAnswers,
  CredentialCallback,
  CredentialRequest,
  FixedCredentials,
} from "./options.ts";

// For other layers.

export { type SecurityLayer, SecurityLayerTransport } from "./security-layer.ts";

/** `SecurityLayerTransport`, loaded where a transport may need it. */
export const securityLayer = (): Promise<typeof import("./security-layer.ts")> => import("./security-layer.ts");
