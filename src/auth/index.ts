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

/** `SecurityLayerTransport`, loaded where a transport may need it: other clients do not carry it. */
export const securityLayer = (): Promise<typeof import("./security-layer.ts")> => import("./security-layer.ts");
